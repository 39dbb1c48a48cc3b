"""The policy for colour: one grey value per pixel, its luminance. Alpha is left out."""

import numpy as np

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue, ITU-R BT.601; they are those of JPEG's and DICOM's YBR_FULL luminance."""


def luminance(colour: np.ndarray) -> np.ndarray:
    """Return the luminance of (rows, columns, 3 or more) RGB values, (rows, columns) float64 in its range.

    Not rounded: where red, green and blue are equal the result equals them to within 1e-12 of their size.
    """
    red, green, blue = (colour[..., channel].astype(np.float64) for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red
    return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
