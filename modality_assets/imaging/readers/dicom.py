"""DICOM: plain files the fast way, all others through pydicom, which is imported when the first of them comes."""

from pathlib import Path
from typing import BinaryIO

from modality_assets.imaging.frames import FileFrames
from modality_assets.imaging.readers.dicom_plain import NotPlain, read_plain


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the frames of a DICOM file; both ways give the same frames and facts."""
    data = file.read()
    try:
        return read_plain(path.name, data)
    except NotPlain:
        from modality_assets.imaging.readers.dicom_general import read_general

        return read_general(path, data)
