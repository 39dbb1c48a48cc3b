"""Colour to grey."""

import numpy as np

from modality_assets.imaging.luminance import luminance


def test_grey_in_three_channels_stays_exactly_grey() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(luminance(np.stack([grey] * 3, axis=-1)), grey)


def test_the_weights_are_those_of_bt_601_and_alpha_is_left_out() -> None:
    colours = np.array([[[255, 0, 0, 9], [0, 255, 0, 9], [0, 0, 255, 9]]], np.uint8)
    np.testing.assert_allclose(luminance(colours), [[76.245, 149.685, 29.07]])
