"""Resizing: area averaging where an axis shrinks, linear interpolation where it grows.

Both are weighted means of neighbours, so no result lies outside the range of the input, and any scaling
a * x + b of intensities gives the same before and after.
"""

from functools import lru_cache
from math import gcd

import cv2
import numpy as np

ASPECTS = ("stretch", "pad")
"""'stretch' maps the image onto the square, as published; 'pad' keeps its proportions, filled up with its minimum."""

_LARGEST_BLOCK = 64
_MOST_SUMMED = 256  # pixels behind one of the result that single precision may sum: beyond, it errs by a stored step


def resize(image: np.ndarray, size: int, aspect: str = "stretch") -> np.ndarray:
    """Return (rows, columns) float32 or float64 ``image`` as (size, size) of the same type, within the image's range.

    Raises ValueError for an unknown ``aspect``.
    """
    if aspect == "stretch":
        return resize_to(image, size, size)
    if aspect != "pad":
        raise ValueError(f"aspect {aspect!r}: choose one of {', '.join(ASPECTS)}")
    rows, columns = image.shape
    longest = max(rows, columns)
    inner_rows, inner_columns = (max(1, round(length * size / longest)) for length in (rows, columns))
    inner = resize_to(image, inner_rows, inner_columns)
    square = np.full((size, size), image.min(), image.dtype)
    top, left = (size - inner_rows) // 2, (size - inner_columns) // 2
    square[top : top + inner_rows, left : left + inner_columns] = inner
    return square


def resize_to(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return float ``image`` resized to (rows, columns), each axis by the method that its direction asks for."""
    old_rows, old_columns = image.shape
    image = _shrink(image, min(rows, old_rows), min(columns, old_columns))
    if image.shape == (rows, columns):
        return image
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _shrink(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Average areas. Equal to OpenCV's INTER_AREA; for ratios such as 16:7 as products with small matrices, faster."""
    old_rows, old_columns = image.shape
    if (old_rows, old_columns) == (rows, columns):
        return image
    down, across = gcd(old_rows, rows), gcd(old_columns, columns)
    high, wide = old_rows // down, old_columns // across
    whole = rows // down == 1 and columns // across == 1  # OpenCV is fast for whole ratios
    if whole or max(high, wide) > _LARGEST_BLOCK or not image.flags.c_contiguous:
        summed = image if image.size <= _MOST_SUMMED * rows * columns else image.astype(np.float64)
        return cv2.resize(summed, (columns, rows), interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)
    by_rows = np.matmul(_area_weights(high, rows // down, image.dtype.char), image.reshape(down, high, old_columns))
    by_columns = by_rows.reshape(rows * across, wide) @ _area_weights(wide, columns // across, image.dtype.char).T
    return by_columns.reshape(rows, columns)


@lru_cache(maxsize=64)
def _area_weights(old: int, new: int, dtype: str) -> np.ndarray:
    """Return (new, old) weights: the share of each old pixel's length in each new pixel; rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    starts = np.arange(old)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.ascontiguousarray(np.clip(overlap, 0, None) * (new / old), dtype)
