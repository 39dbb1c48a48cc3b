"""The facts of one frame's intensities, and the frame with its minimum taken off, ready to be resized."""

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np

from modality_assets.imaging.errors import DamagedImageError
from modality_assets.imaging.frames import Frame

GRID_PIXELS = 1 << 12
"""Percentiles are those of a regular grid of at least this many pixels, of all where there are fewer."""

LOW_PERCENTILE, HIGH_PERCENTILE = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of stored values, after inversion; mean and std of all pixels, percentiles of those that are not padding."""

    minimum: float
    maximum: float
    mean: float
    std: float
    p01: float
    p99: float


LARGEST_INTENSITY = 1e30
"""Nothing measured is larger; and the numbers that rescale images are kept in single precision."""


def measure(frame: Frame) -> tuple[Statistics, np.ndarray, float]:
    """Return the statistics of ``frame.stored``, (rows, columns) float32 values above the minimum, and their range.

    Values are stored - minimum, exactly, for integers of up to 16 bits, and (stored - minimum) / (maximum - minimum)
    to 6e-8 for all else. Raises `DamagedImageError` for numbers that no intensity has.
    """
    stored = frame.stored
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        return _measure_short(stored, frame.padding)
    values = np.asarray(stored, np.float64)
    low, high = float(values.min()), float(values.max())
    if not max(abs(low), abs(high)) <= LARGEST_INTENSITY:
        raise DamagedImageError(f"values from {low:g} to {high:g} are no intensities")
    first, last = _percentiles(values, 0, frame.padding)
    statistics = Statistics(low, high, float(values.mean()), float(values.std()), first, last)
    reach = high - low
    above = (values - low) / reach if reach > 0 else values - low
    return statistics, above.astype(np.float32), 1.0 if reach > 0 else 0.0


def _measure_short(stored: np.ndarray, padding: tuple[float, float] | None) -> tuple[Statistics, np.ndarray, float]:
    """Integer arithmetic of 16 bits and OpenCV's sums: an eighth of the time that float64 takes."""
    if stored.dtype.itemsize == 1:
        stored = stored.astype(np.int16)
    low, high, _, _ = cv2.minMaxLoc(stored)
    bits = stored.view(np.uint16)
    above = bits - np.uint16(int(low) & 0xFFFF)  # modulo 2^16, so right for signed values too
    mean = float(cv2.mean(above)[0])
    square = float(cv2.norm(above, cv2.NORM_L2SQR)) / above.size
    first, last = _percentiles(above, low, padding)
    statistics = Statistics(low, high, low + mean, sqrt(max(0.0, square - mean * mean)), first, last)
    return statistics, above.astype(np.float32), high - low


def _percentiles(values: np.ndarray, offset: float, padding: tuple[float, float] | None) -> tuple[float, float]:
    """Return the 1st and 99th percentile of ``values`` + ``offset`` on the grid, padding left out."""
    step = max(1, int(sqrt(values.size / GRID_PIXELS)))
    grid = values[::step, ::step].ravel()
    if padding is not None:
        kept = grid[(grid < padding[0] - offset) | (grid > padding[1] - offset)]
        grid = kept if kept.size else grid
    places = tuple(round(share * (grid.size - 1)) for share in (LOW_PERCENTILE, HIGH_PERCENTILE))
    ordered = np.sort(grid)  # faster than np.partition here: it does not branch
    return float(ordered[places[0]]) + offset, float(ordered[places[1]]) + offset
