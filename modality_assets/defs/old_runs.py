"""Runs that Dagster need not remember any more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import AssetRecordsFilter, DagsterRunStatus, RunsFilter

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_AT_ONCE = 500


def old_runs(instance: dg.DagsterInstance, definitions: dg.Definitions, days: float) -> list[str]:
    """Return the ids of finished runs older than ``days``.

    Never one that made the last materialisation of a partition, or the last evaluation of a check: with the run
    Dagster would forget these.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    records = instance.get_run_records(RunsFilter(statuses=_FINISHED, updated_before=before))
    if not records:
        return []
    needed = set(_needed(instance, definitions))
    return [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in needed]


def forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run with its events and its captured output."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


def _needed(instance: dg.DagsterInstance, definitions: dg.Definitions) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        latest = instance.get_latest_materialization_event(key)
        if latest is not None:
            yield latest.run_id
        events = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = list(events.values())
        for start in range(0, len(ids), _AT_ONCE):
            wanted = AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _AT_ONCE])
            for record in instance.fetch_materializations(wanted, limit=_AT_ONCE).records:
                yield record.event_log_entry.run_id
    checks = instance.event_log_storage.get_asset_check_summary_records(list(graph.asset_check_keys))
    for check in checks.values():
        if check.last_check_execution_record is not None:
            yield check.last_check_execution_record.run_id
