"""Mean and standard deviation in one pass equal those in two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.shards.moments import Moments, moments_of_images


def two_pass(pixels, affine, levels, clip):
    affine = affine.astype(np.float64)
    values = affine[:, 0, None] * (pixels.reshape(len(pixels), -1) / levels) + affine[:, 1, None]
    values = np.clip(values, 0, 1) if clip else values
    return values.mean(), values.std()


@settings(deadline=None, max_examples=60)
@given(st.data(), st.booleans(), st.sampled_from([8, 16]))
def test_any_pieces_give_the_moments_of_a_two_pass_reference(data, clip, bits):
    seed = data.draw(st.integers(0, 10**6))
    random = np.random.default_rng(seed)
    count, height, width = (data.draw(st.integers(1, 9)) for _ in range(3))
    pixels = random.integers(0, 2**bits, (count, height, width)).astype(f"uint{bits}")
    reach = 10.0 ** data.draw(st.integers(-3, 4))
    affine = random.normal(size=(count, 2)).astype(np.float32) * np.float32(reach)
    cut = data.draw(st.integers(0, count))
    parts = [
        moments_of_images(pixels[part], affine[part], levels=2**bits - 1, clip=clip)
        for part in (slice(cut), slice(cut, None))
    ]
    together = parts[0].merged(parts[1])
    mean, std = two_pass(pixels, affine, 2**bits - 1, clip)
    size = max(abs(mean), std)
    assert together.count == pixels.size
    assert together.mean == pytest.approx(mean, abs=1e-12 * size + 1e-300, rel=1e-9)
    assert together.std == pytest.approx(std, abs=1e-12 * size, rel=1e-9)


def test_many_values_far_from_zero_lose_no_digits():
    # float32 sums, or the difference of two large sums, are wrong in the first digits here
    random = np.random.default_rng(0)
    pixels = random.integers(60_000, 60_010, (200, 64, 64)).astype(np.uint16)
    affine = np.tile(np.array([[1.0, 1000.0]], np.float32), (200, 1))
    moments = Moments()
    for image in range(0, 200, 3):
        part = slice(image, image + 3)
        moments = moments.merged(moments_of_images(pixels[part], affine[part], levels=65535, clip=False))
    exact = pixels.astype(np.int64) - 60_000
    assert moments.std == pytest.approx(exact.std() / 65535, rel=1e-9)


def test_no_values_have_no_moments_and_change_none():
    nothing = moments_of_images(np.empty((0, 2, 2), np.uint16), np.empty((0, 2), np.float32), levels=65535, clip=True)
    some = Moments(4, 0.5, 1.0)
    assert nothing == Moments()
    assert nothing.std == 0
    assert nothing.merged(some) == some == some.merged(nothing)
