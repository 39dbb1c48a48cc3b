"""CheXpert: chest radiographs as JPEG, by patient and study.

CheXpert-v1.0/  or  CheXpert-v1.0-small/
    train/patient00001/study1/view1_frontal.jpg
    valid/patient64541/study1/view1_frontal.jpg
    train.csv  valid.csv             not read
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each view as a series of its study."""
    for path, found in matching(folder, r"(?:train|valid|test)/(patient\d+)/(study\d+)/view\d+_\w+\.jpe?g"):
        patient, study = found[1].lower(), found[2].lower()
        yield Member(path, patient=patient, study=f"{patient}/{study}", body_part="chest")
