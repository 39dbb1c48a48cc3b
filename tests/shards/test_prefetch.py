"""Prefetching changes when items are made and nothing else."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.shards.prefetch import prefetched


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.integers(1, 5))
def test_the_same_items_come_in_the_same_order(count, ahead):
    assert list(prefetched((number for number in range(count)), ahead)) == list(range(count))


def test_no_more_are_made_in_advance_than_allowed():
    made = []
    paused = threading.Event()

    def items():
        for number in range(50):
            made.append(number)
            yield number
            if number == 4:
                paused.set()

    taken = prefetched(items(), 3)
    assert next(taken) == 0
    assert not paused.wait(0.3), "one taken, three ready and one in hand are five"
    assert len(made) == 5
    taken.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise OSError("disk gone")

    taken = prefetched(items(), 2)
    assert next(taken) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(taken)


def test_leaving_early_closes_the_items_and_ends_the_thread():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    taken = prefetched(items(), 2)
    next(taken)
    taken.close()
    assert closed.is_set()
    assert threading.active_count() == before
