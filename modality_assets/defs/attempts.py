"""The runs that Dagster knows of a piece of work, as attempts at it."""

import time
from collections.abc import Callable, Sequence

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunRecord

from modality_assets.refresh.decision import Attempt, Work

WORK_TAG = "modality/work"
_PARTITION_TAG = "dagster/partition"
_RETRIED_AS, _WILL_RETRY = "dagster/auto_retry_run_id", "dagster/will_retry"
_FAILURES_CONSUMED = "EVENT_LOG_CONSUMER_CURSOR-RUN_FAILURE"
_PROMISED_SECONDS = 60.0


def attempts_by(instance: dg.DagsterInstance) -> Callable[[Work], Sequence[Attempt]]:
    """Return a function from work to the attempts at it, oldest first; each is asked for once.

    A run that somebody else started on the same partition, or on its former inputs, counts as an attempt that
    goes on: two runs never work on one partition at a time.
    """
    unconsumed = _unconsumed_failures(instance)  # asked before the runs, so that no retry is missed in between
    busy = _busy(instance)
    known: dict[str, Sequence[Attempt]] = {}

    def tried(work: Work) -> Sequence[Attempt]:
        if work.key not in known:
            records = instance.get_run_records(dg.RunsFilter(tags={WORK_TAG: work.key}), ascending=True)
            own = [
                _attempt(instance, record, record.dagster_run.run_id in unconsumed)
                for record in records
                if _RETRIED_AS not in record.dagster_run.tags
            ]
            other = busy.get((work.job, work.partition)) or (work.partition and busy.get(("", work.partition)))
            if other and other not in {record.dagster_run.run_id for record in records} and not _goes_on(own):
                own.append(Attempt(other))
            known[work.key] = sorted(own, key=lambda attempt: attempt.ended is None)
        return known[work.key]

    return tried


def _goes_on(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.ended is None for attempt in attempts)


def _busy(instance: dg.DagsterInstance) -> dict[tuple[str, str], str]:
    """Return (job, partition) and ('', partition) → run id of every run on its way."""
    found = {}
    for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES))):
        partition = run.tags.get(_PARTITION_TAG, "")
        found[(run.job_name, partition)] = found[("", partition)] = run.run_id
    return found


def _unconsumed_failures(instance: dg.DagsterInstance) -> set[str]:
    """Return the ids of the failed runs that Dagster's daemon has not yet looked at to start them again."""
    cursor = instance.daemon_cursor_storage.get_cursor_values({_FAILURES_CONSUMED}).get(_FAILURES_CONSUMED)
    if cursor is None:
        return set()
    failures = instance.event_log_storage.get_logs_for_all_runs_by_log_id(
        after_cursor=int(cursor), dagster_event_type={dg.DagsterEventType.RUN_FAILURE}
    )
    return {entry.run_id for entry in failures.values()}


def _attempt(instance: dg.DagsterInstance, record: RunRecord, unconsumed: bool) -> Attempt:
    run = record.dagster_run
    if not run.is_finished:
        return Attempt(run.run_id)
    ended = record.end_time or record.update_timestamp.timestamp()
    # One that crashed, and that the daemon is about to start again, goes on. But the daemon drops it when it reads
    # the event of the failure in the moment before the run's status follows: a promise not kept is a failure.
    promised = run.is_failure_or_canceled and run.tags.get(_WILL_RETRY) == "true"
    if promised and (unconsumed or time.time() - ended < _PROMISED_SECONDS):
        return Attempt(run.run_id)
    return Attempt(run.run_id, ended, run.is_success, None if run.is_success else run_error(instance, run.run_id))


def run_error(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Return the innermost error of a failed run, None where its log names none."""
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run_id, of_type=kind):
            event = entry.dagster_event
            error = getattr(event.event_specific_data, "error", None) if event is not None else None
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return str(error.message).strip()
            if event is not None and event.message:
                return event.message
    return None
