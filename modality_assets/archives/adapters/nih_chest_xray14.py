"""NIH ChestX-ray14: chest radiographs as PNG, named by patient and follow-up number.

images_001/images/00000001_000.png   one folder per part of the download,
images/00000001_000.png              or all parts in one
Data_Entry_2017.csv  ...             not read
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each picture as a study of its patient."""
    for path, found in matching(folder, r"images/(\d{8})_(\d{3})\.png"):
        yield Member(path, patient=found[1], study=f"{found[1]}/{found[2]}", body_part="chest")
