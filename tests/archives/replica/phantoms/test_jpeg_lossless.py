"""The encoder of JPEG lossless against an independent decoder."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from libjpeg import decode

from modality_assets.archives.replica.phantoms.jpeg_lossless import encode_jpeg_lossless


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
def test_what_is_encoded_is_decoded_16_bits(samples: np.ndarray) -> None:
    assert (decode(encode_jpeg_lossless(samples)).reshape(samples.shape) == samples).all()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_what_is_encoded_is_decoded_8_bits(data: st.DataObject) -> None:
    samples = data.draw(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
    assert (decode(encode_jpeg_lossless(samples)).reshape(samples.shape) == samples).all()


def test_noise_of_all_sizes_of_error_is_kept() -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (200, 300), dtype=np.uint16)
    assert (decode(encode_jpeg_lossless(samples)) == samples).all()


def test_signed_values_keep_their_bits() -> None:
    samples = np.random.default_rng(0).integers(-3000, 3000, (64, 48)).astype(np.int16)
    assert (decode(encode_jpeg_lossless(samples)).view(np.int16) == samples).all()


def test_a_smooth_image_gets_smaller() -> None:
    ramp = (np.add.outer(np.arange(256), np.arange(256)) * 4).astype(np.uint16)
    assert len(encode_jpeg_lossless(ramp)) < ramp.nbytes / 2


@pytest.mark.parametrize("value", [0, 32768, 65535])
def test_a_constant_image_is_kept(value: int) -> None:
    samples = np.full((5, 7), value, np.uint16)
    assert (decode(encode_jpeg_lossless(samples)) == samples).all()
