"""The runs that Dagster knows of a piece of work, as attempts at it."""

from collections.abc import Callable, Sequence

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunRecord

from modality_assets.refresh.decision import Attempt, Work

WORK_TAG = "modality/work"
_PARTITION_TAG = "dagster/partition"
_RETRIED_AS, _WILL_RETRY = "dagster/auto_retry_run_id", "dagster/will_retry"


def attempts_by(instance: dg.DagsterInstance) -> Callable[[Work], Sequence[Attempt]]:
    """Return a function from work to the attempts at it, oldest first; each is asked for once.

    A run that somebody else started on the same partition, or on its former inputs, counts as an attempt that
    goes on: two runs never work on one partition at a time.
    """
    busy = _busy(instance)
    known: dict[str, Sequence[Attempt]] = {}

    def tried(work: Work) -> Sequence[Attempt]:
        if work.key not in known:
            records = instance.get_run_records(dg.RunsFilter(tags={WORK_TAG: work.key}), ascending=True)
            own = [_attempt(instance, record) for record in records if _RETRIED_AS not in record.dagster_run.tags]
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


def _attempt(instance: dg.DagsterInstance, record: RunRecord) -> Attempt:
    run = record.dagster_run
    # One that crashed, and that the daemon is about to start again, goes on.
    if not run.is_finished or (run.is_failure_or_canceled and run.tags.get(_WILL_RETRY) == "true"):
        return Attempt(run.run_id)
    ended = record.end_time or record.update_timestamp.timestamp()
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
