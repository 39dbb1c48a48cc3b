"""The releases of the Imaging Data Commons through catalogue, cohort, plan and sensor, one after another, no pixels.

The sensor's own function decides what to ask for; what it asks for is taken as done at once. Beside what was asked
stands what the locks of the cohorts say has changed, which is counted another way.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.archives.archive import Archive
from modality_assets.archives.idc_past import IdcHistory
from modality_assets.catalogue.locks import diff_locks, read_lock
from modality_assets.defs import refreshing
from modality_assets.defs.assets.decoded_images import decoded_result
from modality_assets.defs.assets.source_files import source_result
from modality_assets.defs.automation import Seen, look
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import MANIFEST, Manifest, digest, write_json
from modality_assets.planning import (
    build_catalogue,
    build_cohort,
    build_split,
    catalogue_result,
    cohort_result,
    split_result,
)
from modality_assets.progress import SILENT, Progress
from modality_assets.refresh.record import latest_refresh
from modality_assets.results import Result, make
from modality_assets.settings import Settings, write_settings

_RUN = "replay"


@dataclass(frozen=True)
class ReplayedRelease:
    """What one release brought. ``asked`` are the datasets that the sensor asked for, ``changed`` those counted."""

    release: int
    released: str | None
    datasets: int
    new: int
    revised: int
    withdrawn: int
    asked: int
    changed: int
    agree: bool
    moved: int
    seconds: float


def replay_idc(
    root: Path,
    history: IdcHistory | None = None,
    *,
    last: int | None = None,
    changes: dict[str, Any] | None = None,
    progress: Progress = SILENT,
) -> pl.DataFrame:
    """Return one row per release, as `ReplayedRelease`; ``root`` is an empty folder, ``last`` the last release.

    Settings are those of a full-size study, with ``changes``.

    ``agree`` tells whether the partitions asked for are exactly the datasets new or changed in the cohort, each once;
    ``moved`` counts datasets that are in another split than before.
    """
    with progress.task("Reading the history", total=1, unit="indexes") as task:
        history = history or IdcHistory()
        task.advance(1)
    releases = history.index.releases()
    numbers = [number for number in releases["idc_version"].to_list() if last is None or number <= last]
    dates = dict(releases.select("idc_version", "version_timestamp").iter_rows())
    workspace, seen, clock = Workspace(archive="idc", data=str(root), changes=changes or {}), Seen(), _Clock()
    write_settings(workspace.layout.settings, Settings())
    rows = []
    with (
        dg.DagsterInstance.ephemeral() as instance,
        progress.task("Replaying", total=len(numbers), unit="releases") as task,
    ):
        for number in numbers:
            rows.append(_replay(workspace, instance, history.at(number), seen, clock, number, dates.get(number)))
            task.advance(1)
    return pl.DataFrame([asdict(row) for row in rows])


class _Clock:
    """Seconds that pass from look to look."""

    def __init__(self) -> None:
        self.now = time.time()

    def tick(self) -> float:
        self.now += 3600
        return self.now


def _replay(
    workspace: Workspace,
    instance: dg.DagsterInstance,
    archive: Archive,
    seen: Seen,
    clock: _Clock,
    number: int,
    released: str | None,
) -> ReplayedRelease:
    started = time.perf_counter()
    layout = workspace.layout
    lock = read_lock(layout.cohort_lock) if layout.cohort_lock.exists() else None
    splits = _splits(workspace)
    with workspace.holding(archive):
        asked = list(_asked(workspace, instance, archive, seen, clock))
    lock_now, splits_now, refresh = read_lock(layout.cohort_lock), _splits(workspace), latest_refresh(layout)
    assert refresh is not None
    if lock is None:
        changed = set(lock_now["series"])
    else:
        changed = set(diff_locks(lock, lock_now).datasets["dataset"]) & set(lock_now["series"])
    counts = refresh.counts()
    return ReplayedRelease(
        release=number,
        released=released,
        datasets=len(lock_now["series"]),
        new=counts["new"],
        revised=counts["revised"],
        withdrawn=counts["withdrawn"] + counts["dropped"],
        asked=len(asked),
        changed=len(changed),
        agree=sorted(asked) == sorted(changed) == sorted([*refresh.named("new"), *refresh.named("revised")]),
        moved=sum(splits_now.get(dataset) != split for dataset, split in splits.items()),
        seconds=round(time.perf_counter() - started, 1),
    )


def _splits(workspace: Workspace) -> dict[str, str]:
    table = workspace.layout.split_table()
    return dict(pl.read_parquet(table).select("dataset", "split").iter_rows()) if table.exists() else {}


def _asked(
    workspace: Workspace, instance: dg.DagsterInstance, archive: Archive, seen: Seen, clock: _Clock
) -> Iterator[str]:
    """Look until nothing is left to plan or fetch, do what is asked for, and yield each dataset asked for."""
    while True:
        starts = [start.work for start in look(workspace, instance, seen, clock.tick()).start]
        if refreshing.PLAN not in {work.job for work in starts} and refreshing.FETCH not in {w.job for w in starts}:
            return
        for work in starts:
            if work.job == refreshing.PLAN:
                _plan(workspace, archive)
            elif work.job == refreshing.FETCH:
                _pretend(source_result(workspace, work.partition))
                _pretend(decoded_result(workspace, work.partition))
                yield work.partition


def _plan(workspace: Workspace, archive: Archive) -> None:
    layout, settings = workspace.layout, workspace.settings
    catalogue = catalogue_result(archive, layout, settings)
    make(catalogue, lambda staged: build_catalogue(archive, settings, staged, SILENT), run_id=_RUN)
    make(cohort_result(layout, settings), lambda staged: build_cohort(layout, settings, staged), run_id=_RUN)
    make(split_result(layout, settings), lambda staged: build_split(layout, settings, staged), run_id=_RUN)


def _pretend(result: Result) -> None:
    """Leave a manifest as if the result had been made."""
    manifest = Manifest(
        asset=result.asset,
        partition=result.partition,
        input_hash=result.input_hash,
        content_hash=digest(result.input_hash),
        code_version=result.code_version,
        run_id=_RUN,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
    )
    write_json(result.folder / MANIFEST, asdict(manifest))
