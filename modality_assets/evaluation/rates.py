"""Rates that follow from counts: of confusion matrices, and of reliability bins. Any number of them at once."""

import numpy as np

from modality_assets.modality import CLASSES

N = len(CLASSES)
BINS = 15
"""Equal-width bins of confidence in [0, 1], as in Guo et al., "On Calibration of Modern Neural Networks" (2017)."""


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of right predictions; ``confusion`` (..., 4, 4), rows actual. NaN without images."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def recall(confusion: np.ndarray) -> np.ndarray:
    """Share (..., 4) of each class's images that are found; NaN for a class without images."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Share (..., 4) of each class's predictions that are right; NaN for a class never predicted."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-2))


def f1(confusion: np.ndarray) -> np.ndarray:
    """Harmonic mean (..., 4) of precision and recall; NaN for a class neither present nor predicted."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that have images; NaN without images."""
    return mean_of_known(recall(confusion))


def calibration_error(bins: np.ndarray) -> np.ndarray:
    """Expected calibration error of ``bins`` (..., BINS, 3): images, summed confidence, right ones."""
    return _ratio(np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1), bins[..., 0].sum(axis=-1))


def area_under_curve(histograms: np.ndarray) -> np.ndarray:
    """Area under the ROC curve from ``histograms`` (..., 2, B) of scores: of the class's images, and of the others.

    Images whose scores fall into one bin count as equal, half a pair each. NaN where one side has no images.
    """
    own, others = histograms[..., 0, :], histograms[..., 1, :]
    below = np.cumsum(others, axis=-1) - others / 2
    return _ratio((own * below).sum(axis=-1), own.sum(axis=-1) * others.sum(axis=-1))


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values that are not NaN; NaN where none is known."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def confidence_bin(confidence: np.ndarray) -> np.ndarray:
    """Return the (N,) int64 bin of each confidence; 1.0 belongs to the last bin."""
    return np.minimum((np.asarray(confidence) * BINS).astype(np.int64), BINS - 1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan), where=whole > 0)
