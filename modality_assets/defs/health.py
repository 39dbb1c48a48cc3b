"""Whether the service is well: storage, daemons, disk, failed runs, queue; and which results are stale."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._daemon.controller import get_daemon_statuses

from modality_assets.defs.instance import open_instance
from modality_assets.defs.steps import STEPS
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import current

FREE_GB = "MODALITY_FREE_GB"
"""Environment variable: with less free disk than this the service is not well; 5 where it is not set."""

_HEARTBEAT_SECONDS = 180.0
_FAILURES_OF = timedelta(days=7)
_MOST_RUNS = 1000
_STUCK_SECONDS = 3600.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at; ``ok`` is None for what is told and not judged."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Health:
    """What was found, and when."""

    archive: str
    data: str
    looked_utc: str
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        return all(finding.ok is not False for finding in self.findings)


def look(workspace: Workspace) -> Health:
    """Look at everything; what cannot be looked at is a finding too, never an error."""
    findings = [_found("data root", lambda: _data_root(workspace)), _found("disk", lambda: _disk(workspace))]
    try:
        with open_instance(workspace.layout) as instance:
            started = time.monotonic()
            instance.get_runs_count()
            kind = type(instance.run_storage).__name__.removesuffix("RunStorage")
            findings.append(Finding("storage", True, f"{kind} answered in {time.monotonic() - started:.2f} s"))
            for name, one in (("daemons", _daemons), ("queue", _queue), ("failed runs", _failed_runs)):
                findings.append(_found(name, partial(one, instance)))
    except Exception as error:  # whatever keeps Dagster's storage from answering is what is to be told
        findings.append(Finding("storage", False, _sentence(error)))
    findings.append(_found("stale results", lambda: _stale(workspace)))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Health(workspace.archive, workspace.layout.address, now, tuple(findings))


def _found(name: str, look_at: Callable[[], tuple[bool | None, str]]) -> Finding:
    try:
        return Finding(name, *look_at())
    except Exception as error:  # a health page that fails tells nothing
        return Finding(name, False, _sentence(error))


def _sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _data_root(workspace: Workspace) -> tuple[bool | None, str]:
    current(workspace.layout.settings)  # asks the object store, where the root is one
    root = workspace.layout.root
    return os.access(
        root, os.W_OK
    ), f"{workspace.layout.address}{'' if os.access(root, os.W_OK) else ' cannot be written'}"


def _disk(workspace: Workspace) -> tuple[bool | None, str]:
    usage = shutil.disk_usage(workspace.layout.root)
    wanted = float(os.environ.get(FREE_GB) or 5) * 1e9
    return usage.free >= wanted, f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.0f} free, {wanted / 1e9:g} wanted"


def _daemons(instance: dg.DagsterInstance) -> tuple[bool | None, str]:
    statuses = get_daemon_statuses(
        instance,
        instance.get_required_daemon_types(),
        heartbeat_tolerance_seconds=_HEARTBEAT_SECONDS,
        ignore_errors=True,
    )
    silent = {kind: status.last_heartbeat for kind, status in statuses.items() if not status.healthy}
    if not silent:
        return True, f"{len(statuses)} daemons, all heard of in the last {_HEARTBEAT_SECONDS:.0f} s"
    ages = (
        f"{kind.lower()} {'never' if beat is None else f'{(time.time() - beat.timestamp) / 60:.0f} min ago'}"
        for kind, beat in sorted(silent.items())
    )
    return False, f"last heard of: {', '.join(ages)}"


def _queue(instance: dg.DagsterInstance) -> tuple[bool | None, str]:
    queued = instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.QUEUED]), limit=_MOST_RUNS)
    working = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    running = instance.get_runs_count(RunsFilter(statuses=working))
    waited = max((time.time() - record.create_timestamp.timestamp() for record in queued), default=0.0)
    stuck = waited > _STUCK_SECONDS and not running
    detail = f"{len(queued)} runs wait, {running} run" + (
        f"; the first has waited {waited / 60:.0f} min" if queued else ""
    )
    return not stuck, detail


def _failed_runs(instance: dg.DagsterInstance) -> tuple[bool | None, str]:
    """Runs of the last week count, unless the same job and partition succeeded, or is at work, since."""
    since = datetime.now(UTC) - _FAILURES_OF
    newest: dict[tuple[str, str], DagsterRunStatus] = {}
    for record in instance.get_run_records(RunsFilter(updated_after=since), limit=_MOST_RUNS):  # the newest first
        run = record.dagster_run
        newest.setdefault((run.job_name, run.tags.get("dagster/partition", "")), run.status)
    failed = sorted(job for job, status in newest.items() if status == DagsterRunStatus.FAILURE)
    if not failed:
        return True, f"none of the last {_FAILURES_OF.days} days is left without success"
    names = [f"{job} [{partition}]" if partition else job for job, partition in failed]
    return False, f"{len(failed)} without success since: {_listed(names)}"


def _stale(workspace: Workspace) -> tuple[bool | None, str]:
    """Told, not judged: whether a release makes models stale is a setting. The archive itself is not asked here."""
    counts = Counter(
        step.asset
        for step in STEPS
        if step.asset != "collection_catalogue"
        for key in step.keys(workspace)
        if not step.is_fresh(workspace, key)
    )
    return None, _listed([f"{count} of {asset}" for asset, count in counts.items()]) or "none"


def _listed(names: Iterable[str], most: int = 8) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
