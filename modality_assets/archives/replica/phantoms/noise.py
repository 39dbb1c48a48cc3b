"""Random fields that the modalities share."""

import cv2
import numpy as np
from numpy.typing import NDArray


def white(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return independent normal values of unit variance."""
    return rng.standard_normal(shape, np.float32)


def smooth_field(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a correlated field of about unit variance whose grain is ``sigma`` pixels."""
    rows, columns = shape[0], shape[1]
    shrink = max(1, int(sigma / 1.5))
    small = white((rows // shrink + 2, columns // shrink + 2), rng)
    small = blurred(small, max(sigma / shrink, 0.3))
    small /= small.std() + 1e-6
    return resized(small, rows, columns, cv2.INTER_CUBIC) if shrink > 1 else small[:rows, :columns]


def blurred(image: NDArray[np.float32], sigma: float, sigma_down: float | None = None) -> NDArray[np.float32]:
    """Return ``image`` blurred by a normal curve of ``sigma`` pixels, along columns by ``sigma_down`` where given."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma, sigmaY=sigma_down or sigma), np.float32)


def resized(image: NDArray[np.float32], rows: int, columns: int, way: int = cv2.INTER_AREA) -> NDArray[np.float32]:
    """Return ``image`` on a grid of rows by columns."""
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=way), np.float32)
