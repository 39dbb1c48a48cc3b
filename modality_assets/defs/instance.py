"""The Dagster instance of a data root: made ready, and freed of what dead processes left behind."""

import os

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from modality_assets.defs.processes import PID_TAG, process_lives
from modality_assets.layout import STORAGE, DataLayout

_DRIVER = "postgresql+psycopg2"
_WRITTEN = "# Written by `modality`. Change it and delete this line: then it is yours, and left alone.\n"
_SERVICE = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_launcher:
  module: modality_assets.defs.run_launcher
  class: WatchfulRunLauncher
run_monitoring: # a run whose process is gone is failed, and its pool slots are freed
  enabled: true
  poll_interval_seconds: 10
  start_timeout_seconds: 120 # a launch that died with its daemon is waited for as long
  cancel_timeout_seconds: 120
  free_slots_after_run_end_seconds: 10
run_retries: # of runs that crashed; a dataset that fails has a retry policy of its own
  enabled: true
  max_retries: 3
  retry_on_asset_or_op_failure: false
run_queue: # a launch takes as long as its process takes to start: one after the other, four would never run at once
  dequeue_use_threads: true
  dequeue_num_workers: 4
sensors: # a slow archive holds up no other sensor
  use_threads: true
  num_workers: 4
code_servers:
  local_startup_timeout: 300
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 2
      success: 30
      failure: 90
"""
_CONCURRENCY = """\
concurrency:
  pools:
    granularity: op
    default_limit: 1
  runs:
    max_concurrent_runs: {runs}
"""
SQLITE_CONFIG = _WRITTEN + _SERVICE + _CONCURRENCY.format(runs=2)
POSTGRES_CONFIG = (
    _WRITTEN
    + "storage:\n  postgres:\n    postgres_url:\n      env: MODALITY_STORAGE\n"
    + _SERVICE
    + _CONCURRENCY.format(runs=4)
)

SQLITE_POOLS = {"download": 2, "decoding": 2, "training": 1}
POSTGRES_POOLS = {"download": 4, "decoding": 4, "training": 1}

_RUNNING = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


class StorageError(Exception):
    """Dagster's storage is not as asked for, or cannot be reached."""


def open_instance(layout: DataLayout) -> dg.DagsterInstance:
    """Open the persistent instance of the data root, with its pools, and set DAGSTER_HOME to it.

    Its storage is SQLite below the data root, or the PostgreSQL that MODALITY_STORAGE names. Raises
    `StorageError` where that cannot be reached, or dagster.yaml was changed by hand and says otherwise.
    """
    postgres = _with_driver(os.environ.get(STORAGE, ""))
    if postgres:
        os.environ[STORAGE] = postgres  # dagster.yaml names the variable, so that no file holds the password
    home = layout.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    _configure(layout, postgres)
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        instance = dg.DagsterInstance.from_config(str(home))
    except Exception as error:
        if not postgres:
            raise
        cause = error.__cause__ or error
        first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise StorageError(f"PostgreSQL of {STORAGE} cannot be used: {first}") from error
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for pool, limit in (POSTGRES_POOLS if postgres else SQLITE_POOLS).items():
        if pool not in known:
            instance.event_log_storage.set_concurrency_slots(pool, limit)
    return instance


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail each run whose process is gone, free its pool slots, and return the run ids.

    A run killed with SIGKILL stays STARTED for ever and keeps its slot; the next would wait for it. Runs that a
    daemon launched are judged here only where no other machine can have: with PostgreSQL, run monitoring does it.
    """
    elsewhere = bool(os.environ.get(STORAGE))
    dead = [
        run
        for run in instance.get_runs(RunsFilter(statuses=_RUNNING))
        if process_lives(instance, run) is False and (PID_TAG in run.tags or not elsewhere)
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone; it was failed when the next command started.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def _with_driver(url: str) -> str:
    """Name the driver that dagster-postgres is written for: SQLAlchemy takes another one by default."""
    scheme, separator, rest = url.partition("://")
    if not url or scheme == _DRIVER:
        return url
    if not separator or scheme not in ("postgresql", "postgres"):
        raise StorageError(f"{STORAGE} must be postgresql://user:password@host/database, not {scheme!r} and so on")
    return f"{_DRIVER}://{rest}"


def _configure(layout: DataLayout, postgres: str) -> None:
    """Write dagster.yaml, unless it was changed by hand."""
    config = layout.dagster_home / "dagster.yaml"
    wanted = POSTGRES_CONFIG if postgres else SQLITE_CONFIG
    found = config.read_text() if config.exists() else _WRITTEN
    if found.startswith(_WRITTEN):
        if found != wanted:
            config.write_text(wanted)
    elif postgres and "postgres" not in found:
        raise StorageError(
            f"{STORAGE} names PostgreSQL, but {config}, which was changed by hand, does not: mend either"
        )
