"""NIfTI-1 and NIfTI-2, plain or gzipped, through nibabel; slices along the third axis, then time."""

import gzip
from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np

from modality_assets.imaging.frames import FileFrames
from modality_assets.imaging.readers.volume import check_shape, volume_frames

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the slices of a NIfTI file; native = scl_slope * stored + scl_inter, unit unknown.

    The type's limits are those of the stored integers; floats give the range of the whole file.
    """
    image: Any = nibabel.Nifti2Image if _is_second(file) else nibabel.Nifti1Image
    image = image.from_filename(path) if path.suffix not in (".hdr", ".img") else nibabel.load(path)
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


def _is_second(file: BinaryIO) -> bool:
    head = file.read(8)
    if head.startswith(b"\x1f\x8b"):
        file.seek(0)
        with gzip.open(file) as inside:
            head = inside.read(8)
    return head[4:7] in (b"n+2", b"ni2")
