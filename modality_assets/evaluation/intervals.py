"""95 % intervals by a bootstrap of two levels: datasets, and within each dataset its patients.

Images of one patient, and patients of one dataset, resemble each other; resampling images would call
one scanner's thousand slices a thousand observations. See Davison & Hinkley, "Bootstrap Methods and
their Application" (1997), section 3.8. With few datasets percentile intervals are still too narrow.
"""

from collections.abc import Callable

import numpy as np

REPLICATES = 1000
LEVEL = 0.95
_DRAWS_AT_ONCE = 4_000_000


def bootstrap(
    counts: np.ndarray,
    dataset_codes: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int | list[int],
    replicates: int = REPLICATES,
) -> np.ndarray:
    """Return the limits (S, 2) of the 95 % interval of each of the S values of ``statistic``.

    ``counts`` (P, K) holds what each patient adds to K sums, ``dataset_codes`` (P,) its dataset, in any
    numbering. ``statistic`` maps resampled sums (B, K) to values (B, S); replicates in which a value is
    NaN (a class that was not drawn) are left out of it. One patient alone says nothing of the spread:
    all limits are NaN then. With several patients of one dataset the interval is over patients only.
    """
    order = np.argsort(dataset_codes, kind="stable")
    counts = np.asarray(counts)[order].astype(np.float64, copy=False)
    sizes = np.unique(np.asarray(dataset_codes), return_counts=True)[1]
    patients, datasets = len(counts), len(sizes)
    values = [statistic(counts.sum(axis=0, keepdims=True))[:0]]
    if patients >= 2:
        rng = np.random.default_rng(seed)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        chunk = max(1, min(replicates, _DRAWS_AT_ONCE // patients))
        for first in range(0, replicates, chunk):
            rows = min(chunk, replicates - first)
            times = rng.multinomial(datasets, np.full(datasets, 1 / datasets), size=rows)  # (rows, D)
            values.append(statistic(_weights(rng, times, starts, sizes) @ counts))
    return _limits(np.concatenate(values))


def _weights(rng: np.random.Generator, times: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How often each patient is drawn (rows, P), when dataset d is drawn ``times[:, d]`` times."""
    rows, patients = len(times), int(sizes.sum())
    draws = (times * sizes).ravel()
    size = np.repeat(np.tile(sizes, rows), draws)
    patient = np.repeat(np.tile(starts, rows), draws) + (rng.random(len(size)) * size).astype(np.int64)
    row = np.repeat(np.arange(rows), (times * sizes).sum(axis=1))
    return np.bincount(row * patients + patient, minlength=rows * patients).reshape(rows, patients).astype(np.float64)


def _limits(values: np.ndarray) -> np.ndarray:
    """Percentile limits (S, 2) of the values (B, S) of every replicate."""
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    limits = np.full((values.shape[1], 2), np.nan)
    finite = np.isfinite(values)
    whole = finite.all(axis=0) & (len(values) > 0)
    limits[whole] = np.quantile(values[:, whole], tails, axis=0).T if whole.any() else np.nan
    for column in np.flatnonzero(finite.any(axis=0) & ~whole):
        limits[column] = np.quantile(values[finite[:, column], column], tails)
    return limits
