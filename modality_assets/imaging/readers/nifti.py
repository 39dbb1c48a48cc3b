"""NIfTI-1 and NIfTI-2, plain or gzipped, through nibabel; slices along the third axis, then time."""

import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np

from modality_assets.imaging.frames import FileFrames
from modality_assets.imaging.readers.volume import check_shape, volume_frames

_GZIP = b"\x1f\x8b"
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the slices of a NIfTI file; native = scl_slope * stored + scl_inter, unit unknown.

    The type's limits are those of the stored integers; floats give the range of the whole file.
    """
    image = _open(path, file)
    shape = tuple(int(length) for length in image.shape)
    check_shape(path.name, shape)
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    array = np.asanyarray(image.dataobj.get_unscaled())
    colour = array.dtype.fields is not None and {"R", "G", "B"} <= set(array.dtype.fields)
    if colour:
        array = np.stack([array[channel] for channel in "RGB"], axis=-1)
    zooms = [float(zoom) for zoom in image.header.get_zooms()[:2]]
    return volume_frames(
        path.name,
        "NIfTI",
        array,
        slope=slope,
        intercept=intercept,
        axes_lps=_LPS_FROM_RAS @ np.asarray(image.affine, np.float64)[:3, :2],
        spacing_mm=(zooms[0], zooms[1]),
        colour=colour,
    )


def _open(path: Path, file: BinaryIO) -> Any:
    kind: Any = nibabel.Nifti2Image if _is_second(file) else nibabel.Nifti1Image
    name = path.name.lower()
    if name.endswith((".hdr", ".img")):
        return nibabel.load(path)
    if name.endswith((".nii", ".nii.gz")):
        return kind.from_filename(path)  # maps what is not compressed
    file.seek(0)
    head = file.read(2)
    file.seek(0)
    return kind.from_stream(gzip.open(file) if head == _GZIP else io.BytesIO(file.read()))


def _is_second(file: BinaryIO) -> bool:
    head = file.read(8)
    if head.startswith(_GZIP):
        file.seek(0)
        with gzip.open(file) as inside:
            head = inside.read(8)
    return head[4:7] in (b"n+2", b"ni2")
