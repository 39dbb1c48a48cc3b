"""RSNA Bone Age: one hand radiograph per child as PNG, named by its case number.

boneage-training-dataset/1377.png    a second folder of the same name around them is fine
boneage-test-dataset/4360.png
boneage-validation-dataset-1/1386.png  boneage-validation-dataset-2/...
boneage-training-dataset.csv  ...    not read
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each picture as a patient of its own."""
    for path, found in matching(folder, r"boneage-(?:training|test|validation)-dataset(?:-\d)?/(\d+)\.png"):
        yield Member(path, patient=found[1], study=found[1], body_part="hand")
