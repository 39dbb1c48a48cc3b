"""Which rows an epoch shows: all of them, or as balanced as asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.shards.sampling import epoch_rows, window_ends


def split(counts: dict[tuple[int, int], int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and dataset codes of ``counts[label, dataset]`` rows each."""
    labels = np.concatenate([np.full(count, label) for (label, _), count in counts.items()])
    codes = np.concatenate([np.full(count, code) for (_, code), count in counts.items()])
    return labels.astype(np.uint8), codes.astype(np.uint16)


UNEVEN = {(0, 0): 500, (0, 1): 20, (1, 1): 60, (2, 2): 7, (3, 3): 13}


@given(st.integers(0, 400), st.integers(0, 3), st.integers(0, 3), st.integers(1, 20), st.integers(1, 500))
def test_a_shuffled_epoch_is_a_permutation_whatever_the_windows(count, seed, epoch, run, window):
    zeros = np.zeros(count)
    rows = epoch_rows(
        zeros.astype(np.uint8),
        zeros.astype(np.uint16),
        seed=seed,
        epoch=epoch,
        shuffle=True,
        run_rows=run,
        window_rows=window,
    )
    assert sorted(rows) == list(range(count))


def test_epochs_and_seeds_differ_and_repeat():
    labels, codes = split(UNEVEN)
    orders = {
        (seed, epoch): tuple(epoch_rows(labels, codes, seed=seed, epoch=epoch, shuffle=True))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    assert orders[1, 2] == tuple(epoch_rows(labels, codes, seed=1, epoch=2, shuffle=True))


def test_without_shuffling_rows_come_in_order():
    labels, codes = split(UNEVEN)
    assert (epoch_rows(labels, codes, seed=0, epoch=0, shuffle=False) == np.arange(600)).all()


@pytest.mark.parametrize("window", [None, 50])
def test_class_balance_draws_each_class_equally_and_each_row_of_it_equally(window):
    labels, codes = split(UNEVEN)
    rows = epoch_rows(labels, codes, seed=0, epoch=0, shuffle=True, balance="class", run_rows=4, window_rows=window)
    assert len(rows) == 600
    assert np.bincount(labels[rows]).tolist() == [150, 150, 150, 150]
    shown = np.bincount(rows, minlength=600)
    for label in range(4):
        assert np.ptp(shown[labels == label]) <= 1


def test_dataset_balance_draws_each_dataset_equally():
    labels, codes = split(UNEVEN)
    rows = epoch_rows(labels, codes, seed=0, epoch=0, shuffle=True, balance="dataset")
    assert np.bincount(codes[rows]).tolist() == [150, 150, 150, 150]


def test_class_and_dataset_balance_draws_each_dataset_of_each_class_equally():
    labels, codes = split(UNEVEN)
    rows = epoch_rows(labels, codes, seed=0, epoch=0, shuffle=True, balance="class_dataset")
    assert np.bincount(labels[rows]).tolist() == [150, 150, 150, 150]
    assert np.bincount(codes[rows][labels[rows] == 0]).tolist() == [75, 75]


@settings(deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 5)), st.integers(1, 40), min_size=1),
    st.sampled_from(["class", "dataset", "class_dataset"]),
)
def test_a_balanced_epoch_has_as_many_rows_as_the_split(counts, balance):
    labels, codes = split(counts)
    rows = epoch_rows(labels, codes, seed=0, epoch=0, shuffle=True, balance=balance, run_rows=3, window_rows=10)
    assert len(rows) == len(labels)
    group = {"class": labels, "dataset": codes, "class_dataset": labels}[balance]
    drawn = np.bincount(group[rows], minlength=6)[np.unique(group)]
    assert drawn.max() - drawn.min() <= len(counts)


def test_a_window_reads_whole_runs_and_mixes_them():
    zeros = np.zeros(10_300)
    rows = epoch_rows(
        zeros.astype(np.uint8), zeros.astype(np.uint16), seed=0, epoch=0, shuffle=True, run_rows=100, window_rows=800
    )
    windows = np.split(rows, window_ends(10_300, 800)[:-1])
    assert [len(window) for window in windows] == [100, 200, 400] + [800] * 12
    for window in windows:
        runs, counts = np.unique(window // 100, return_counts=True)
        assert len(runs) == len(window) // 100
        assert (counts == 100).all()
        assert (np.diff(window) != 1).mean() > 0.95
    assert len({tuple(np.unique(window // 100)) for window in windows}) == 15


@given(st.integers(0, 3_000), st.integers(1, 500))
def test_windows_cover_the_epoch_and_grow_to_the_size_asked_for(count, window_rows):
    sizes = np.diff(window_ends(count, window_rows), prepend=0)
    assert sizes.sum() == count
    assert sizes.max(initial=0) <= window_rows
    assert (sizes > 0).all() or not count
    assert (np.diff(sizes[:-1]) >= 0).all()


def test_an_unknown_balance_and_a_balance_in_order_are_refused():
    labels, codes = split(UNEVEN)
    with pytest.raises(ValueError, match="'species': one of none, class, dataset, class_dataset"):
        epoch_rows(labels, codes, seed=0, epoch=0, shuffle=True, balance="species")
    with pytest.raises(ValueError, match="needs shuffle=True"):
        epoch_rows(labels, codes, seed=0, epoch=0, shuffle=False, balance="class")
