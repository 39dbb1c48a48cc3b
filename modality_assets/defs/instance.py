"""The Dagster instance of a data root: made ready, and freed of what dead processes left behind."""

import os
from pathlib import Path

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus, RunsFilter

from modality_assets.layout import DataLayout

PID_TAG = ".dagster/modality_pid"  # the prefix keeps it out of the lists of the UI
POOL_LIMITS = {"download": 2, "decoding": 1, "training": 1}

_CONFIG = """\
# Written once by `modality`; yours to change. SQLite suits few runs at a time.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
  runs:
    max_concurrent_runs: 2
"""

_RUNNING = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def open_instance(layout: DataLayout) -> dg.DagsterInstance:
    """Open the persistent instance below the data root, with its pools, and set DAGSTER_HOME to it."""
    home = layout.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_CONFIG)
    os.environ["DAGSTER_HOME"] = str(home)
    instance = dg.DagsterInstance.from_config(str(home))
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for pool, limit in POOL_LIMITS.items():
        if pool not in known:
            instance.event_log_storage.set_concurrency_slots(pool, limit)
    return instance


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail each run whose process is gone, free its pool slots, and return the run ids.

    A run killed with SIGKILL stays STARTED for ever and keeps its slot; the next would wait for it.
    """
    dead = [
        run for run in instance.get_runs(RunsFilter(statuses=_RUNNING)) if not _is_alive(_process_of(instance, run))
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone; it was failed when the next command started.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def process_tag() -> dict[str, str]:
    """Return the tag that marks a run as one of this process."""
    return {PID_TAG: f"{os.getpid()}:{_started(os.getpid())}"}


def _process_of(instance: dg.DagsterInstance, run: DagsterRun) -> str | None:
    """Return ``pid:start time`` as tagged by our commands, or ``pid:`` from the launcher's own events."""
    if PID_TAG in run.tags:
        return run.tags[PID_TAG]
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        metadata = event.engine_event_data.metadata if event and event.event_specific_data else {}
        if "pid" in metadata:
            return f"{metadata['pid'].value}:"
    return None


def _is_alive(process: str | None) -> bool:
    if process is None:
        return False
    pid, _, started = process.partition(":")
    now = _started(int(pid))
    return now is not None and (not started or started == now)


def _started(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot (proc(5), field 22), or None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rsplit(")", 1)[1].split()
    return None if state == "Z" else rest[18]
