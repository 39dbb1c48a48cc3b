"""Fitting a few exponents of probabilities to labels, where datasets and not images are what was observed."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

_LIMITS = (np.log(0.1), np.log(10))


def even_weights(classes: Sequence | np.ndarray, datasets: Sequence | np.ndarray) -> np.ndarray:
    """Return weights (N,) of mean 1: each class the same in all, and within a class each dataset."""
    frame = pl.DataFrame({"class": pl.Series(classes), "dataset": pl.Series(datasets)})
    images = pl.len().over("class", "dataset")
    groups = pl.col("dataset").n_unique().over("class")
    weights = frame.select((1 / (images * groups)).cast(pl.Float64)).to_series().to_numpy()
    return weights * len(weights) / weights.sum() if len(weights) else weights


def count_groups(labels: np.ndarray, datasets: np.ndarray) -> int:
    """Return how many pairs of class and dataset there are."""
    return pl.DataFrame({"label": labels, "dataset": datasets}).unique().height


def fit_exponents(
    model: Callable[..., np.ndarray],
    labels: np.ndarray,
    datasets: np.ndarray,
    start: Sequence[float],
    *,
    spread: float = 0.5,
) -> list[float]:
    """Return the exponents, one per entry of ``start``, under which ``model`` explains ``labels`` best.

    ``model`` maps exponents to probabilities (N, 4); ``labels`` (N,) are class indices, ``datasets`` (N,) names.
    Every class weighs the same and within it every dataset, and each pair of them counts as one observation
    against a prior that holds the exponents near ``start``: their logarithms have the standard deviation ``spread``
    before anything is seen. At the default a handful of datasets can move them but not overthrow them.
    """
    from scipy.optimize import minimize

    weights, groups, own = even_weights(labels, datasets), count_groups(labels, datasets), np.arange(len(labels))
    origin = np.log(np.asarray(start, dtype=np.float64))

    def cost(logs: np.ndarray) -> float:
        likelihood = np.log(np.maximum(model(*np.exp(logs))[own, labels], 1e-12))
        return float(((logs - origin) ** 2).sum() / (2 * spread**2) - groups * np.average(likelihood, weights=weights))

    found = minimize(cost, x0=origin, method="L-BFGS-B", bounds=[_LIMITS] * len(start))
    return [float(value) for value in np.exp(found.x)]
