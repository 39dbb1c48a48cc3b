"""Random fields that the modalities share."""

import cv2
import numpy as np
from numpy.typing import NDArray


def white(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return independent normal values of unit variance."""
    return rng.standard_normal(shape, np.float32)


def smooth_field(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a correlated field of about unit variance whose grain is ``sigma`` pixels."""
    rows, columns = shape
    shrink = max(1, int(sigma / 1.5))
    small = white((rows // shrink + 2, columns // shrink + 2), rng)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / shrink, 0.3))
    small /= small.std() + 1e-6
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC) if shrink > 1 else small[:rows, :columns]
