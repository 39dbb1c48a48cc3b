"""The warmer joins what lies together, stays one window ahead, and passes on what goes wrong."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.shards.index import DamagedShardError
from modality_assets.shards.warming import WindowWarmer, joined


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), max_size=30), st.integers(0, 20))
def test_joined_ranges_cover_the_same_bytes_and_lie_further_apart_than_the_gap(steps, gap):
    begin, end, place = [], [], 0
    for apart, length in steps:
        begin.append(place + apart)
        end.append(place + apart + length)
        place = end[-1]
    first, last = joined(np.array(begin, np.int64), np.array(end, np.int64), gap)
    covered = {byte for a, b in zip(first.tolist(), last.tolist(), strict=True) for byte in range(a, b)}
    assert {byte for a, b in zip(begin, end, strict=True) for byte in range(a, b)} <= covered
    assert (first[1:] - last[:-1] > gap).all()
    assert len(first) == (sum(apart > gap for apart, _ in steps[1:]) + 1 if steps else 0)


@pytest.mark.parametrize("compress", [False, True])
def test_every_window_becomes_warm_and_the_thread_ends(three_datasets, make_shards, compress):
    reader = make_shards(three_datasets, compress=compress)
    before = threading.active_count()
    warmer = WindowWarmer(reader, np.random.default_rng(0).permutation(61), np.array([3, 8, 20, 61]))
    for row in range(61):
        warmer.wait_for(row)
    warmer.stop()
    assert threading.active_count() == before


def test_a_file_that_cannot_be_opened_is_told_to_who_waits(three_datasets, make_shards):
    reader = make_shards(three_datasets)
    (reader.folder / "pixels-00000.npy").unlink()
    warmer = WindowWarmer(reader, np.arange(61), np.array([61]))
    with pytest.raises(DamagedShardError, match=r"pixels-00000\.npy"):
        warmer.wait_for(0)
    warmer.stop()
