"""Which rows one epoch shows, in which order: a function of seed and epoch alone.

Rows are drawn by group (all; each class; each dataset; each dataset of each class). A group that gives
fewer draws than it has rows gives a random part of them; one that gives more passes over all its rows
as often as needed, so that within a group no row is shown more than once oftener than another.

The draws are put in a uniformly random order where they fit into one window. Splits larger than a
window are read in runs of neighbouring rows (the shards themselves are shuffled), the runs of one
window together, and the rows are in random order within the window: disks deliver runs at their
sequential speed, and what lies far apart on the disk meets in a batch all the same. The first windows
are smaller: training begins when the first is read, not before.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from modality_assets.shards.shuffle import hashed, permutation, seeded_keys

Balance = Literal["none", "class", "dataset", "class_dataset"]
_WORD = np.float64(2.0**64)
_RAMP = (3, 2, 1)  # the first windows have 1/8, 1/4 and 1/2 of the rows of a whole one


def epoch_rows(
    labels: NDArray[np.uint8],
    dataset_codes: NDArray[np.uint16],
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    balance: Balance = "none",
    run_rows: int = 1,
    window_rows: int | None = None,
) -> NDArray[np.int64]:
    """Return the rows of an epoch, (N,) for N labels, whatever the balance.

    Without ``shuffle`` they are 0 … N−1. ``window_rows`` None means one window. Raises ValueError for
    an unknown balance, or a balance without shuffling.
    """
    if balance not in get_args(Balance):
        raise ValueError(f"balance {balance!r}: one of {', '.join(get_args(Balance))}")
    count = len(labels)
    if not shuffle:
        if balance != "none":
            raise ValueError(f"balance {balance!r} draws rows at random; it needs shuffle=True")
        return np.arange(count)
    if not count:
        return np.empty(0, np.int64)
    rows, progress = _draw(_groups(labels, dataset_codes, balance), count, seed, epoch, run_rows)
    if window_rows is None or count <= window_rows:
        return rows[permutation(count, "epoch", seed, epoch)]
    rows = rows[np.argsort(progress, kind="stable")]
    window = np.searchsorted(window_ends(count, window_rows), np.arange(count), side="right")
    return rows[np.lexsort((seeded_keys(count, "window", seed, epoch), window))]


def window_ends(count: int, window_rows: int) -> NDArray[np.int64]:
    """Return the places in an epoch of ``count`` rows at which its windows end, ascending, the last at ``count``.

    Nothing can be gathered before the first window is read: so the first has an eighth of ``window_rows``,
    the next twice as many as the one before, until they have ``window_rows``.
    """
    sizes = [max(1, window_rows >> shift) for shift in _RAMP]
    whole = max(0, -(-(count - sum(sizes)) // window_rows))
    ends = np.cumsum(np.array(sizes + [window_rows] * whole, np.int64)).clip(max=count)
    return np.unique(ends)


def _groups(
    labels: NDArray[np.uint8], dataset_codes: NDArray[np.uint16], balance: Balance
) -> list[tuple[NDArray[np.int64], float]]:
    """Return (rows, share of the draws) of each group; shares add up to 1."""
    if balance == "none":
        return [(np.arange(len(labels)), 1.0)]
    outer = labels.astype(np.int64) if balance != "dataset" else dataset_codes.astype(np.int64)
    inner = dataset_codes.astype(np.int64) if balance == "class_dataset" else np.zeros(len(labels), np.int64)
    key = outer * (int(inner.max()) + 1) + inner
    order = np.argsort(key, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
    outer_of = [int(outer[rows[0]]) for rows in groups]
    return [(rows, 1 / len(set(outer_of)) / outer_of.count(one)) for rows, one in zip(groups, outer_of, strict=True)]


def _draw(
    groups: list[tuple[NDArray[np.int64], float]], count: int, seed: int, epoch: int, run_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return ``count`` drawn rows, and for each how far through the epoch, [0, 1), its run comes."""
    ends = np.round(np.cumsum([share for _, share in groups]) * count).astype(np.int64)
    drawn, progress = [], []
    for number, (rows, quota) in enumerate(
        zip((rows for rows, _ in groups), np.diff(ends, prepend=0).tolist(), strict=True)
    ):
        passes = max(1, -(-quota // len(rows)))
        last = quota - (passes - 1) * len(rows)
        part = permutation(len(rows), "part", seed, epoch, number)[:last]
        for number_of_pass in range(passes):
            chosen = rows if number_of_pass < passes - 1 else rows[part]
            place = hashed(chosen // run_rows, "runs", seed, epoch, number_of_pass)
            drawn.append(chosen)
            progress.append((number_of_pass + place / _WORD) / passes)
    return np.concatenate(drawn), np.concatenate(progress)
