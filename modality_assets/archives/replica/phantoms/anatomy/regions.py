"""The regions by name, and how they lie in a long scan."""

from collections.abc import Callable

import numpy as np

from modality_assets.archives.replica.phantoms.anatomy.breasts import breast, compressed_breast
from modality_assets.archives.replica.phantoms.anatomy.head import brain, head_neck
from modality_assets.archives.replica.phantoms.anatomy.limbs import hand, knee
from modality_assets.archives.replica.phantoms.anatomy.trunk import abdomen, chest, pelvis
from modality_assets.archives.replica.phantoms.shapes import Body

REGIONS: dict[str, Callable[[np.random.Generator], Body]] = {
    "brain": brain,
    "head_neck": head_neck,
    "chest": chest,
    "abdomen": abdomen,
    "pelvis": pelvis,
    "knee": knee,
    "hand": hand,
    "breast": breast,
    "compressed_breast": compressed_breast,
}
"""Each draws one region of a random patient around the origin, millimetres."""

TRUNK = (("pelvis", -290.0), ("abdomen", -60.0), ("chest", 190.0), ("head_neck", 440.0))
"""The regions of a scan from the thighs to the head, with the height in mm at which each is centred."""
