"""The facts of a frame: exact, whatever its type, and padding left out of percentiles only."""

import numpy as np
import pytest

from modality_assets.imaging.frames import Frame
from modality_assets.imaging.statistics import GRID_PIXELS, measure


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float64])
def test_minimum_mean_and_deviation_are_those_of_all_pixels(dtype: type) -> None:
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(np.float16)
    image = np.random.default_rng(0).uniform(limits.min, limits.max, (300, 200)).astype(dtype)
    statistics, above, reach = measure(Frame(image, 0, 0, 0))
    wide = image.astype(np.float64)
    assert (statistics.minimum, statistics.maximum) == (wide.min(), wide.max())
    assert statistics.mean == pytest.approx(wide.mean(), rel=1e-9, abs=1e-6)
    assert statistics.std == pytest.approx(wide.std(), rel=1e-9)
    share = (wide - wide.min()) / (wide.max() - wide.min())
    np.testing.assert_allclose(above / reach, share, rtol=1e-6)


def test_the_difference_to_the_minimum_is_exact_for_16_bits() -> None:
    image = np.array([[-32768, 32767], [-1, 0]], np.int16)
    _, above, _ = measure(Frame(image, 0, 0, 0))
    np.testing.assert_array_equal(above, image.astype(np.int64) + 32768)


def test_percentiles_of_a_small_image_are_those_of_all_pixels() -> None:
    image = np.random.default_rng(0).permutation(3600).reshape(60, 60).astype(np.uint16)
    assert image.size <= GRID_PIXELS
    statistics, _, _ = measure(Frame(image, 0, 0, 0))
    ordered = np.sort(image.ravel())
    assert (statistics.p01, statistics.p99) == (ordered[36], ordered[3563])


def test_percentiles_of_a_large_image_are_close() -> None:
    image = np.random.default_rng(0).normal(1000, 200, (1000, 700)).astype(np.int16)
    statistics, _, _ = measure(Frame(image, 0, 0, 0))
    assert (statistics.p01, statistics.p99) == pytest.approx(np.percentile(image, (1, 99)), abs=20)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_padding_counts_for_the_range_but_not_for_percentiles(dtype: type) -> None:
    image = np.full((64, 64), -2000, dtype)
    image[16:48, 16:48] = np.arange(1024).reshape(32, 32)
    statistics, _, _ = measure(Frame(image, 0, 0, 0, padding=(-2000, -2000)))
    assert statistics.minimum == -2000
    assert (statistics.p01, statistics.p99) == (10, 1013)


def test_an_image_of_padding_alone_keeps_its_percentiles() -> None:
    statistics, _, _ = measure(Frame(np.zeros((8, 8), np.uint16), 0, 0, 0, padding=(0, 0)))
    assert (statistics.p01, statistics.p99) == (0, 0)
