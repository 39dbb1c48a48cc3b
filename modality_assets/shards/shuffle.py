"""Seeded order that stays the same for ever: on every machine, with every numpy.

numpy promises the stream of its bit generators (NEP 19), not that of `Generator.permutation`; so
permutations here sort the raw 64-bit words of Philox, keyed by the SHA-256 of what they are for.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

QUANTUM = 64
"""Rows of one dataset that a file holds at least, where the dataset has them; see `assign_files`."""


def seeded_keys(count: int, *purpose: object) -> NDArray[np.uint64]:
    """Return ``count`` random 64-bit keys that depend on ``purpose`` alone (seed, names, epoch …)."""
    text = "\x1f".join(str(part) for part in purpose)
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    # numpy 2.4 types random_raw as a scalar too; with a size it is always an array
    return np.asarray(np.random.Philox(key=key).random_raw(count), dtype=np.uint64)


def permutation(count: int, *purpose: object) -> NDArray[np.int64]:
    """Return the numbers 0 … count−1 in a random order that depends on ``purpose`` alone."""
    return np.argsort(seeded_keys(count, *purpose), kind="stable")


def hashed(numbers: NDArray[np.int64], *purpose: object) -> NDArray[np.uint64]:
    """Return a random 64-bit key for each number; equal numbers get equal keys (SplitMix64, Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seeded_keys(1, *purpose)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


LEAST_FILES = 4
"""So that even a small split is written by several threads."""


def file_count(total_bytes: int, file_bytes: int) -> int:
    """Return how many files hold ``total_bytes``: a power of two, so that growth seldom changes it."""
    files = LEAST_FILES
    while files * file_bytes < total_bytes:
        files *= 2
    return files


def assign_files(rows: int, files: int, seed: int, dataset: str) -> NDArray[np.int64]:
    """Return the file, (rows,) in [0, files), of each row of one dataset.

    The choice knows nothing of other datasets: each row goes where the seed and its own dataset's name
    and length say. A dataset of more than files · `QUANTUM` rows is dealt evenly over all files; a
    smaller one over as few random files as keep `QUANTUM` rows together. So a file changes only when
    a dataset that it holds changes, and adding a small dataset leaves most files as they are.
    """
    used = min(files, -(-rows // QUANTUM))
    chosen = permutation(files, "files", seed, dataset)[:used]
    return chosen[permutation(rows, "deal", seed, dataset) % max(used, 1)]


def shuffled_layout(
    rows_per_dataset: Sequence[int], datasets: Sequence[str], files: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where every row of every dataset goes.

    Returns ``dataset`` (N,) the dataset's number of each shuffled row, ``row`` (N,) its row within
    that dataset, and ``file_rows`` (files,), how many of the N lie in each file, in file order. Files
    are mixed over all their datasets. The order within a file depends on its own rows only.
    """
    number = np.repeat(np.arange(len(datasets)), rows_per_dataset)
    row = np.concatenate([np.arange(count) for count in rows_per_dataset] or [np.empty(0, np.int64)])
    named = list(zip(rows_per_dataset, datasets, strict=True))
    file = np.concatenate([assign_files(count, files, seed, name) for count, name in named] or [row])
    keys = [seeded_keys(count, "order", seed, name) for count, name in named]
    order = np.lexsort((np.concatenate(keys or [row.astype(np.uint64)]), file))
    return number[order], row[order], np.bincount(file, minlength=files)
