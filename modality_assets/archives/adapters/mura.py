"""MURA: radiographs of the upper limb as PNG, by body part, patient and study.

MURA-v1.1/
    train/XR_ELBOW/patient00011/study1_negative/image1.png
    valid/XR_WRIST/patient11185/study1_positive/image1.png
    train_image_paths.csv  ...       not read
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each picture as a series of its study, with the body part that its folder names."""
    pattern = r"(?:train|valid|test)/XR_([A-Z]+)/(patient\d+)/(study\d+)_\w+/image\d+\.png"
    for path, found in matching(folder, pattern):
        part, patient, study = found[1].lower(), found[2].lower(), found[3].lower()
        yield Member(path, patient=patient, study=f"{patient}/{part}/{study}", body_part=part)
