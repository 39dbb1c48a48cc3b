"""What NIfTI, NRRD and MetaImage share: an array (x, y[, z[, t...]]) becomes slices along its last spatial axis."""

from collections.abc import Iterator

import numpy as np

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError, UnsupportedPixelsError
from modality_assets.imaging.frames import (
    MAX_FRAME_PIXELS,
    MAX_FRAMES,
    FileFacts,
    FileFrames,
    Frame,
    array_limits,
    without_holes,
)
from modality_assets.imaging.luminance import luminance
from modality_assets.imaging.orientation import slice_orientation


def check_shape(name: str, shape: tuple[int, ...]) -> int:
    """Return the number of frames of a volume of ``shape`` (x, y[, z[, t...]]); raise what is wrong with it."""
    if len(shape) < 2 or min(shape) < 1:
        raise DamagedImageError(f"{name}: an array of shape {shape} is no image")
    frames = int(np.prod(shape[2:], dtype=object)) if len(shape) > 2 else 1
    if shape[0] * shape[1] > MAX_FRAME_PIXELS or frames > MAX_FRAMES:
        raise AbsurdSizeError(f"{name}: {frames} frames of {shape[0]} x {shape[1]} are more than any image has")
    return frames


def volume_frames(
    name: str,
    kind: str,
    array: np.ndarray,
    *,
    slope: float,
    intercept: float,
    axes_lps: np.ndarray,
    spacing_mm: tuple[float, float],
    colour: bool = False,
) -> FileFrames:
    """Return the slices of ``array``, (x, y[, z[, t...]]), or (x, y, z, ..., 3) if ``colour``; z varies fastest.

    ``axes_lps`` (3, 2) are the directions of x and y, ``spacing_mm`` their spacing. Complex numbers are refused.
    """
    if array.dtype.kind not in "iufb":
        raise UnsupportedPixelsError(f"{name}: voxels of type {array.dtype} are not read")
    shape = array.shape[:-1] if colour else array.shape
    count = check_shape(name, shape)
    low, high, bits, signed = array_limits(array)
    orientation = slice_orientation(axes_lps)
    spacing = orientation.row_column(spacing_mm)

    def frames() -> Iterator[Frame]:
        for index in range(count):
            place = np.unravel_index(index, shape[2:], order="F") if count > 1 else (0,) * (len(shape) - 2)
            plane = array[(slice(None), slice(None), *place)]
            plane = luminance(plane) if colour else plane
            image = orientation.apply(plane)
            stored = without_holes(image) if image.dtype.kind == "f" else np.ascontiguousarray(image)
            if stored.dtype.kind == "b":
                stored = stored.astype(np.uint8)
            yield Frame(
                stored=stored.astype(stored.dtype.newbyteorder("=")),
                index=index,
                dtype_min=low,
                dtype_max=high,
                slope=slope,
                intercept=intercept,
                spacing_row_mm=spacing[0],
                spacing_column_mm=spacing[1],
            )

    return FileFrames(FileFacts(kind, bits, signed), count, frames)
