import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.refresh.decision import Attempt, Limits, Work, decide, due, is_given_up, merge_rows
from modality_assets.refresh.record import WorkRow

LIMITS = Limits(in_flight=3, attempts=3, backoff_seconds=10, longest_pause_seconds=1000)
A, B = Work("fetch_dataset", "a", "1" * 64), Work("fetch_dataset", "b", "2" * 64)


def failed(*ended: float) -> list[Attempt]:
    return [Attempt(f"run-{moment}", moment, error="no route to host") for moment in ended]


def state_of(work: Work, tried: list[Attempt], now: float) -> tuple[str, bool]:
    decision = decide([work], {work.key: tried}, now, LIMITS)
    return decision.rows[0].state, bool(decision.start)


def test_what_was_never_tried_is_started_at_once():
    decision = decide([A, B], {}, 0.0, LIMITS)
    assert [(start.work, start.attempt) for start in decision.start] == [(A, 1), (B, 1)]
    assert [row.state for row in decision.rows] == ["running", "running"]


def test_run_keys_tell_works_inputs_and_attempts_apart():
    revised = Work("fetch_dataset", "a", "3" * 64)
    again = decide([A], {A.key: failed(1.0)}, 100.0, LIMITS).start[0]
    keys = {start.run_key for start in (*decide([A, B, revised], {}, 0.0, LIMITS).start, again)}
    assert len(keys) == 4


def test_what_runs_is_left_to_run():
    assert state_of(A, [Attempt("run")], 1e9) == ("running", False)
    assert state_of(A, [*failed(1.0), Attempt("run")], 1e9) == ("running", False)


def test_what_failed_waits_twice_as_long_after_each_failure():
    assert state_of(A, failed(100.0), 109.9) == ("failed", False)
    assert state_of(A, failed(100.0), 110.0) == ("running", True)
    assert state_of(A, failed(100.0, 120.0), 139.9) == ("failed", False)
    assert state_of(A, failed(100.0, 120.0), 140.0) == ("running", True)


def test_after_the_last_attempt_it_is_set_aside_with_the_reason_and_still_tried_now_and_then():
    row = decide([A], {A.key: failed(1, 2, 3)}, 4.0, LIMITS).rows[0]
    assert (row.state, row.attempts, row.error) == ("set aside", 3, "no route to host")
    assert state_of(A, failed(1, 2, 3), 43.0) == ("set aside", True)
    assert due(failed(*range(40)), LIMITS) == 39 + 1000


def test_a_run_that_went_well_and_left_the_work_undone_counts_as_a_failure():
    row = decide([A], {A.key: [Attempt("run", 1.0, ok=True)]}, 2.0, LIMITS).rows[0]
    assert row.state == "failed"
    assert "left something undone" in row.error


def test_what_failed_does_not_hold_up_the_others():
    decision = decide([A, B], {A.key: failed(1, 2, 3)}, 4.0, LIMITS)
    assert [start.work for start in decision.start] == [B]


histories = st.lists(st.sampled_from(["failed", "running"]), max_size=5)


@given(st.lists(histories, max_size=20), st.integers(1, 6), st.floats(0, 1e6))
def test_never_more_runs_are_on_their_way_than_allowed_and_never_two_for_one_work(all_histories, in_flight, now):
    limits = Limits(in_flight, attempts=3, backoff_seconds=10)
    works = [Work("fetch_dataset", str(number), "0" * 64) for number in range(len(all_histories))]
    tried = {
        work.key: [Attempt("run", None if kind == "running" else 1.0) for kind in sorted(history)]
        for work, history in zip(works, all_histories, strict=True)
    }
    decision = decide(works, tried, now, limits)
    running = {work for work in works if tried[work.key] and tried[work.key][-1].ended is None}
    started = [start.work for start in decision.start]
    assert len(started) == len(set(started))
    assert not running.intersection(started)
    assert not started or len(running) + len(started) <= in_flight
    assert [(row.job, row.partition) for row in decision.rows] == [(work.job, work.partition) for work in works]
    if len(running) < in_flight:
        wanted = [work for work in works if work not in running and now >= due(tried[work.key], limits)]
        assert started == wanted[: in_flight - len(running)]


@pytest.mark.parametrize(("failures", "given_up"), [(0, False), (2, False), (3, True), (9, True)])
def test_work_is_given_up_after_the_stated_number_of_failures(failures, given_up):
    assert is_given_up(failed(*range(failures)), LIMITS) is given_up


def test_in_a_record_what_is_not_wanted_any_more_is_done_by_its_last_attempt():
    before = [
        WorkRow("fetch_dataset", "a", A.input_hash, "running", 1),
        WorkRow("fetch_dataset", "b", "2", "failed", 1),
    ]
    now = [WorkRow("fetch_dataset", "b", "2", "running", 2, "r3"), WorkRow("rewrite_shards", "x|train", "5", "waiting")]
    tried = {A.key: [*failed(1.0), Attempt("r9", 2.0, ok=True)]}
    rows = merge_rows(before, now, lambda work: tried.get(work.key, ()))
    assert rows == (WorkRow("fetch_dataset", "a", A.input_hash, "done", 2, "r9"), *now)


def test_what_was_done_stays_as_it_was():
    done = WorkRow("fetch_dataset", "a", A.input_hash, "done", 1, "r1")
    assert merge_rows([done], [], lambda _work: pytest.fail("asked again")) == (done,)
