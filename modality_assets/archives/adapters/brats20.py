"""BraTS 2020: brain MR as NIfTI volumes, four sequences per patient.

MICCAI_BraTS2020_TrainingData/
    BraTS20_Training_001/BraTS20_Training_001_flair.nii      _t1  _t1ce  _t2; .nii.gz too
    BraTS20_Training_001/BraTS20_Training_001_seg.nii        a segmentation, not an image: left out
MICCAI_BraTS2020_ValidationData/BraTS20_Validation_001/...
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each sequence as a series of its patient."""
    pattern = r"(BraTS20_(?:Training|Validation)_\d{3})/\1_(flair|t1|t1ce|t2)\.nii(?:\.gz)?"
    for path, found in matching(folder, pattern):
        yield Member(path, patient=found[1], study=found[1], body_part="brain")
