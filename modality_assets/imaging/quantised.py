"""A frame as it is kept: resized, 16 bits over its own native range, with the facts that any rescaling needs."""

import cv2
import numpy as np

from modality_assets.imaging.errors import ConstantImageError, DamagedImageError
from modality_assets.imaging.frames import Frame
from modality_assets.imaging.resizing import resize
from modality_assets.imaging.statistics import LARGEST_INTENSITY, measure

LEVELS = 65535

FRAME_FACTS = (
    "frame",
    "rows",
    "columns",
    "stored_min",
    "stored_max",
    "stored_dtype_min",
    "stored_dtype_max",
    "slope",
    "intercept",
    "native_min",
    "native_max",
    "native_mean",
    "native_std",
    "native_p01",
    "native_p99",
    "unit",
    "spacing_row_mm",
    "spacing_column_mm",
    "window_center",
    "window_width",
)
"""The facts of one frame, in the order in which `quantise` returns them."""

FrameFacts = tuple[int | float | str | None, ...]


def quantise(frame: Frame, size: int, aspect: str) -> tuple[np.ndarray, FrameFacts]:
    """Return (size, size) uint16 ``q`` and the frame's facts, in the order of `FRAME_FACTS`.

    q = round(65535 * (resized native - native_min) / (native_max - native_min)), where native_min and native_max are
    those of the frame before resizing. Raises `ConstantImageError` where they are equal: there is nothing to see,
    and `DamagedImageError` for numbers that no intensity has.
    """
    statistics, above, reach = measure(frame)
    if not reach > 0 or frame.slope == 0:
        value = frame.slope * statistics.minimum + frame.intercept
        raise ConstantImageError(f"constant image, every pixel {value:g}")
    resized = resize(above, size, aspect)
    # one pass: times the factor, rounded to the nearest integer, and never beyond 65535
    pixels = cv2.addWeighted(resized, LEVELS / reach, resized, 0, 0, dtype=cv2.CV_16U)
    slope, intercept = frame.slope, frame.intercept
    ends = [slope * value + intercept for value in (statistics.minimum, statistics.maximum)]
    if not max(map(abs, ends)) <= LARGEST_INTENSITY:
        raise DamagedImageError(f"slope {slope:g} and intercept {intercept:g} make numbers that are no intensities")
    percentiles = [slope * value + intercept for value in (statistics.p01, statistics.p99)]
    if slope < 0:
        pixels, ends, percentiles = LEVELS - pixels, ends[::-1], percentiles[::-1]
    facts: FrameFacts = (
        frame.index,
        *frame.stored.shape,
        statistics.minimum,
        statistics.maximum,
        frame.dtype_min,
        frame.dtype_max,
        slope,
        intercept,
        *ends,
        slope * statistics.mean + intercept,
        abs(slope) * statistics.std,
        *percentiles,
        frame.unit,
        frame.spacing_row_mm,
        frame.spacing_column_mm,
        frame.window_center,
        frame.window_width,
    )
    return pixels, facts
