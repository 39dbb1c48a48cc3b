"""The contract between readers and everything else: frames of stored values and the facts about them.

A reader gives `FileFrames`: facts of the file, and an iterator of `Frame`. What a frame holds:

* ``stored``: (rows, columns) integers or float64, row 0 on top. Unused high bits are masked off, MONOCHROME1 is
  inverted to MONOCHROME2 (stored' = dtype_min + dtype_max - stored, DICOM PS3.3 C.7.6.3.1.2), colour is luminance.
* native intensity = slope * stored + intercept: Hounsfield units, activity, or the stored values where the file
  has no rescaling.
* ``dtype_min``, ``dtype_max``: what the stored type could hold: for integers from BitsStored and
  PixelRepresentation, for floats, which have no such limits of use, the smallest and greatest value of the file.
* Padding (PixelPaddingValue) stays in the pixels and in their range, as in the published work; percentiles leave
  it out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_FRAME_PIXELS = 1 << 28
"""No image has more: 16384 x 16384. A header that promises more is refused before anything is allocated."""

MAX_FRAMES = 1 << 17
"""No file has more frames or slices."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One 2-D image and its facts; sizes in pixels, spacing in mm, window in native units."""

    stored: np.ndarray  # (rows, columns) integers, or float64
    index: int
    dtype_min: float
    dtype_max: float
    slope: float = 1.0
    intercept: float = 0.0
    unit: str | None = None
    padding: tuple[float, float] | None = None  # stored values from the first to the second are padding
    spacing_row_mm: float | None = None
    spacing_column_mm: float | None = None
    window_center: float | None = None
    window_width: float | None = None

    def native(self) -> np.ndarray:
        """Return the native intensities, (rows, columns) float64."""
        return self.stored.astype(np.float64) * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What holds for every frame of a file; absent DICOM attributes are None."""

    format: str
    bits_stored: int
    signed: bool
    photometric: str | None = None
    instance_uid: str | None = None
    series_uid: str | None = None
    modality_tag: str | None = None
    transfer_syntax_uid: str | None = None


@dataclass(frozen=True, slots=True)
class FileFrames:
    """The facts of a file and its frames, which are read as they are asked for, each once in order."""

    facts: FileFacts
    count: int
    frames: Callable[[], Iterator[Frame]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()


def integer_limits(bits: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and greatest integer of ``bits`` bits (DICOM PS3.5 section 8.1.1)."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def array_limits(array: np.ndarray) -> tuple[float, float, int, bool]:
    """Return (dtype_min, dtype_max, bits, signed) of a whole file's array; floats give their own finite range."""
    if array.dtype.kind == "b":
        return 0.0, 1.0, 1, False
    if array.dtype.kind in "iu":
        signed = array.dtype.kind == "i"
        low, high = integer_limits(array.dtype.itemsize * 8, signed)
        return float(low), float(high), array.dtype.itemsize * 8, signed
    low_high = finite_range(array)
    return *low_high, array.dtype.itemsize * 8, True


def finite_range(array: np.ndarray) -> tuple[float, float]:
    """Return the smallest and greatest finite value; (0, 0) where there is none."""
    low, high = float(np.min(array, initial=np.inf)), float(np.max(array, initial=-np.inf))
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite: Any = array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def without_holes(image: np.ndarray) -> np.ndarray:
    """Return a float image as float64, NaN and -inf as its smallest finite value and +inf as its greatest."""
    image = np.asarray(image, np.float64)
    if np.isfinite(image).all():
        return image
    low, high = finite_range(image)
    return np.nan_to_num(image, nan=low, neginf=low, posinf=high)
