"""Rescalings of native intensities, each a line per image: value = scale * q / 65535 + offset, some clipped to [0, 1].

``q`` is the stored image of `modality_assets.imaging.quantised`, so a new rescaling never touches a source file.

* ``image_range``: the image's own minimum and maximum become 0 and 1. The repair that the published work found.
* ``dtype_range``: what the stored type could hold, from BitsStored and PixelRepresentation, becomes 0 to 1.
* ``dtype_range_published``: the same with the published code's fault, for the comparison only: for signed data of b
  bits the lower limit was +2^(b-1), not -2^(b-1), so images came out inverted and thousands of times out of range.
* ``percentile``: 1st and 99th percentile become 0 and 1, clipped; metal and burned-in text no longer decide.
* ``hounsfield``: -1024 HU and 1024 HU become 0 and 1, clipped; images not in HU are rescaled as ``image_range``.
  Whether an image is in HU is known from its header, Modality included, so this one gives the class away: it is for
  looking at images and for other tasks, not for telling modalities apart.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from modality_assets.imaging.errors import UnknownRescalingError

HOUNSFIELD_WINDOW = (-1024.0, 1024.0)
"""Air to dense bone; both ends and all between are in every body region's CT."""

Facts = Mapping[str, Any]
"""Column name to value, or to an array of values: a row or the columns of images.parquet."""

_Limits = tuple[np.ndarray, np.ndarray]


def _image_range(facts: Facts) -> _Limits:
    return _number(facts, "native_min"), _number(facts, "native_max")


def _dtype_range(facts: Facts) -> _Limits:
    slope, intercept = _number(facts, "slope"), _number(facts, "intercept")
    ends = [slope * _number(facts, f"stored_dtype_{end}") + intercept for end in ("min", "max")]
    return np.minimum(*ends), np.maximum(*ends)


def _dtype_range_published(facts: Facts) -> _Limits:
    low, high = _dtype_range(facts)
    slope, intercept = _number(facts, "slope"), _number(facts, "intercept")
    integers = np.asarray(facts["signed"], bool) & ~_is_float(facts)
    faulty_low = slope * -_number(facts, "stored_dtype_min") + intercept
    right_high = slope * _number(facts, "stored_dtype_max") + intercept
    return np.where(integers, faulty_low, low), np.where(integers, right_high, high)


def _percentile(facts: Facts) -> _Limits:
    low, high = _number(facts, "native_p01"), _number(facts, "native_p99")
    whole = _image_range(facts)
    apart = high > low  # mostly one value, such as air: the whole range instead
    return np.where(apart, low, whole[0]), np.where(apart, high, whole[1])


def _hounsfield(facts: Facts) -> _Limits:
    in_hu = np.asarray(facts["unit"], object) == "HU"
    low, high = _image_range(facts)
    return np.where(in_hu, HOUNSFIELD_WINDOW[0], low), np.where(in_hu, HOUNSFIELD_WINDOW[1], high)


_LIMITS: dict[str, tuple[Callable[[Facts], _Limits], bool]] = {
    "image_range": (_image_range, False),
    "dtype_range": (_dtype_range, False),
    "dtype_range_published": (_dtype_range_published, False),
    "percentile": (_percentile, True),
    "hounsfield": (_hounsfield, True),
}
RESCALINGS = tuple(_LIMITS)


def rescale_affine(name: str, facts: Facts) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return (scale, offset, clip) of rescaling ``name``: value = scale * q / 65535 + offset.

    ``facts`` are values or arrays by the column names of images.parquet; scale and offset are float64 of the same
    shape. ``clip`` says that values are then clipped to [0, 1]. Raises `UnknownRescalingError`.
    """
    if name not in _LIMITS:
        raise UnknownRescalingError(f"rescaling {name!r}: choose one of {', '.join(RESCALINGS)}")
    limits, clip = _LIMITS[name]
    low, high = limits(facts)
    native_min, native_max = _image_range(facts)
    reach = high - low
    reach = np.where(reach == 0, 1.0, reach)
    return (native_max - native_min) / reach, (native_min - low) / reach, clip


def rescale(name: str, pixels: np.ndarray, facts: Facts) -> np.ndarray:
    """Return ``pixels``, (..., rows, columns) uint16 q, rescaled, float32; see `rescale_affine`."""
    scale, offset, clip = rescale_affine(name, facts)
    shape = (*np.shape(scale), 1, 1) if np.ndim(scale) else ()
    values = pixels * (np.reshape(scale, shape) / 65535.0) + np.reshape(offset, shape)
    return (np.clip(values, 0.0, 1.0) if clip else values).astype(np.float32)


def _number(facts: Facts, name: str) -> np.ndarray:
    return np.asarray(facts[name], np.float64)


def _is_float(facts: Facts) -> np.ndarray:
    """Whether images hold floats: integers' limits are whole powers of two, signed ones -2^(b-1) and 2^(b-1) - 1."""
    low, high = _number(facts, "stored_dtype_min"), _number(facts, "stored_dtype_max")
    half = np.exp2(_number(facts, "bits_stored") - 1)
    return ~((low == -half) & (high == half - 1))
