"""Resizing: area averages, nothing outside the input's range, and linear in the intensities."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modality_assets.imaging.resizing import resize, resize_to

IMAGES = st.tuples(st.integers(1, 90), st.integers(1, 90)).flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.floats(0, 65535, width=32))
)


@given(IMAGES, st.integers(1, 70), st.sampled_from(["stretch", "pad"]))
@settings(max_examples=150, deadline=None)
def test_nothing_lies_outside_the_range_of_the_input(image: np.ndarray, size: int, aspect: str) -> None:
    resized = resize(image, size, aspect)
    assert resized.shape == (size, size)
    slack = 1e-5 * (np.abs(image).max() + 1e-30)
    assert image.min() - slack <= resized.min() <= resized.max() <= image.max() + slack


@given(IMAGES, st.integers(1, 70), st.floats(-8, 8), st.floats(-1000, 1000))
@settings(max_examples=150, deadline=None)
def test_scaling_after_resizing_equals_scaling_before_it(image: np.ndarray, size: int, a: float, b: float) -> None:
    image = image.astype(np.float64)
    after = a * resize(image, size) + b
    before = resize(a * image + b, size)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-6 * (np.abs(a * image).max() + abs(b) + 1e-9))


@pytest.mark.parametrize(("old", "new"), [(512, 224), (512, 64), (511, 224), (168, 64), (28, 224), (30, 7)])
def test_shrinking_is_the_area_average_of_opencv(old: int, new: int) -> None:
    image = np.random.default_rng(0).uniform(0, 4000, (old, old + 16))
    size = (new, new)
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA if new < old else cv2.INTER_LINEAR)
    np.testing.assert_allclose(resize_to(image, *size), expected, atol=1e-8)
    np.testing.assert_allclose(resize_to(image.astype(np.float32), *size), expected, atol=4000 * 2e-6)


@pytest.mark.parametrize("shape", [(71, 75), (4096, 4096), (4000, 3001), (3328, 2560)])
@pytest.mark.parametrize("size", [1, 7, 16, 64])
def test_a_mean_of_very_many_pixels_is_exact(shape: tuple[int, int], size: int) -> None:
    image = np.random.default_rng(0).uniform(14_000, 15_000, shape).astype(np.float32)
    exact = resize(image.astype(np.float64), size)
    np.testing.assert_allclose(resize(image, size), exact, rtol=2e-6)


def test_each_axis_goes_its_own_way() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (200, 20))
    shrunk = cv2.resize(image, (20, 50), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(shrunk, (50, 50), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resize(image, 50), expected, atol=1e-12)


def test_the_mean_survives_shrinking() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (512, 512))
    assert resize(image, 224).mean() == pytest.approx(image.mean(), abs=1e-12)


def test_pad_keeps_the_proportions_and_fills_with_the_minimum() -> None:
    image = np.full((40, 80), 5.0)
    image[0, 0] = 1.0
    padded = resize(image, 40, "pad")
    assert (padded[:10] == 1).all()
    assert (padded[30:] == 1).all()
    np.testing.assert_allclose(padded[12:28], 5)


def test_an_unknown_aspect_is_named() -> None:
    with pytest.raises(ValueError, match="'crop': choose one of stretch, pad"):
        resize(np.zeros((4, 4)), 2, "crop")
