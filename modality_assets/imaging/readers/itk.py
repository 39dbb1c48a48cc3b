"""NRRD and MetaImage through SimpleITK; slices along the third axis, then time, then components."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK

from modality_assets.imaging.errors import DamagedImageError
from modality_assets.imaging.frames import FileFrames, Frame
from modality_assets.imaging.readers.volume import check_shape, volume_frames

_DATA_ELSEWHERE = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file:)\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_HEADER_BYTES = 1 << 16


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the slices of a NRRD or MetaImage file; native intensities are the stored values, unit unknown."""
    head = file.read(_HEADER_BYTES)
    kind = "NRRD" if head.startswith(b"NRRD") else "MetaImage"
    for found in _DATA_ELSEWHERE.findall(head.split(b"\n\n", 1)[0] if kind == "NRRD" else head):
        name = found.decode("utf-8", "replace")
        if name not in ("LOCAL", "Local", "local") and not _is_neighbour(name):
            raise DamagedImageError(f"{path.name}: says that its pixels lie in {name!r}; only a file beside it is read")
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if kind == "NRRD" else "MetaImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    dimensions, components = reader.GetDimension(), reader.GetNumberOfComponents()
    check_shape(path.name, (*reader.GetSize(), components) if components > 1 else reader.GetSize())
    image = reader.Execute()
    array = SimpleITK.GetArrayViewFromImage(image)
    colour = components in (3, 4) and array.dtype == np.uint8
    array = array.T  # (components,) x, y, z, t
    if components > 1:
        array = np.moveaxis(array, 0, -1)
    directions = np.asarray(image.GetDirection(), np.float64).reshape(dimensions, dimensions)
    axes = np.zeros((3, 2))
    axes[: min(3, dimensions)] = directions[:3, :2]
    spacing = image.GetSpacing()
    frames = volume_frames(
        path.name,
        kind,
        array,
        slope=1.0,
        intercept=0.0,
        axes_lps=axes,
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        colour=colour,
    )
    return _holding(image, frames)


def _holding(image: SimpleITK.Image, found: FileFrames) -> FileFrames:
    """Keep ``image`` alive as long as its frames: they are views of its memory."""

    def frames() -> Iterator[Frame]:
        yield from found.frames()
        image.GetDimension()  # the last use of the image comes after the last frame

    return FileFrames(found.facts, found.count, frames)


def _is_neighbour(name: str) -> bool:
    return (
        re.fullmatch(r"[^/\\%]+", name) is not None and name not in ("..", ".") and not name.upper().startswith("LIST")
    )
