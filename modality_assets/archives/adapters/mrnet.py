"""MRNet: knee MR as NumPy arrays of (slices, 256, 256) uint8, one per exam and plane.

MRNet-v1.0/
    train/axial/0000.npy   train/coronal/0000.npy   train/sagittal/0000.npy
    valid/axial/1130.npy   ...
    train-acl.csv  ...               not read
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching


def members(folder: Path) -> Iterator[Member]:
    """Yield each plane as a series of its exam; an exam is a patient."""
    for path, found in matching(folder, r"(?:train|valid)/(axial|coronal|sagittal)/(\d{4})\.npy"):
        yield Member(path, patient=found[2], study=found[2], body_part="knee")
