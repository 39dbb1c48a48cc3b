"""The series store that cannot lie: stage, verify, publish by rename, manifest last.

``folder/<series_uid>/`` holds one series. What is there with a manifest was verified once and is verified
again, byte by byte, before it is believed; what is damaged, or was made from another revision, is fetched
again. A series that keeps failing is reported, and does not stop the others.
"""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.archives.archive import (
    Archive,
    ArchiveError,
    DiskFullError,
    TooManySeriesMissingError,
)
from modality_assets.archives.fetch_plan import FetchPlan, free_bytes, plan_rows
from modality_assets.archives.http import PATIENT, Patience
from modality_assets.archives.verify import verified_manifest
from modality_assets.layout import UnsafeNameError, check_uid
from modality_assets.manifest import (
    MANIFEST,
    damaged_files,
    digest,
    publish_folder,
    read_manifest,
    remove_left_overs,
    staging,
)
from modality_assets.progress import SILENT, Progress, Task

CODE_VERSION = "1"
COMPANION_SUFFIXES = (".raw", ".zraw", ".img")
"""Raw data that belongs to a header file beside it, and is no image by itself."""


@dataclass(frozen=True)
class FetchReport:
    """What a dataset's store holds now, and what this run did for it.

    ``failures`` are dicts of series_uid, error (its class) and reason; ``content`` maps a series UID to the
    hash of its files.
    """

    series_present: int
    series_fetched: int
    bytes_fetched: int
    seconds: float
    failures: list[dict[str, str]] = field(default_factory=list)
    content: dict[str, str] = field(default_factory=dict)
    plan: FetchPlan | None = None


def stored_files(folder: Path, series_uid: str) -> list[Path]:
    """Return the image files of a stored series, sorted by name; empty where the series is not complete."""
    series = folder / check_uid(series_uid)
    manifest = read_manifest(series)
    if manifest is None:
        return []
    names = sorted(manifest.files)
    stems = {Path(name).stem for name in names if Path(name).suffix.lower() not in COMPANION_SUFFIXES}
    return [
        series / name
        for name in names
        if Path(name).suffix.lower() not in COMPANION_SUFFIXES or Path(name).stem not in stems
    ]


def fetch_dataset(
    archive: Archive,
    rows: pl.DataFrame,
    folder: Path,
    *,
    run_id: str,
    max_missing_share: float,
    workers: int = 4,
    progress: Progress = SILENT,
    patience: Patience = PATIENT,
) -> FetchReport:
    """Bring every series of ``rows`` into ``folder``, and return what is there then.

    ``rows`` are cohort rows of one dataset; series on disk that they do not name are left alone. Only what
    is missing, damaged or revised is fetched, each series at most ``patience.attempts`` times. Raises
    `DiskFullError` before anything is fetched when it will not fit, or when the disk fills up meanwhile;
    `TooManySeriesMissingError` when more than ``max_missing_share`` of the series are missing at the end.
    Either way, what was published stays.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    remove_left_overs(folder)
    wanted = rows.unique("series_uid", keep="first", maintain_order=True).to_dicts()
    dataset = str(wanted[0]["dataset"]) if wanted else folder.name
    content = _present(wanted, folder, workers, progress)
    plan = plan_rows(rows.filter(~pl.col("series_uid").is_in(list(content))).unique("series_uid"), folder)
    missing = [row for row in wanted if row["series_uid"] not in content]
    plan.refuse_if_too_large()
    fetched, failures = 0, []
    moved = 0
    with (
        progress.task(f"Fetching {dataset}", total=plan.size_bytes, unit="B") as bytes_task,
        progress.task(f"Fetching {dataset}", total=len(missing), unit="series") as series_task,
    ):
        bytes_task.note(plan.sentence())
        meter = _Meter(bytes_task)
        stop = threading.Event()

        def fetch(row: dict[str, Any]) -> str:
            return fetch_one(archive, row, folder, run_id=run_id, patience=patience, on_bytes=meter.add, stop=stop)

        for row, result in _each(missing, fetch, workers, stop):
            if isinstance(result, DiskFullError):
                raise result
            if isinstance(result, BaseException):
                failures.append(
                    {"series_uid": str(row["series_uid"]), "error": type(result).__name__, "reason": str(result)}
                )
            else:
                content[row["series_uid"]] = result
                fetched += 1
            series_task.advance(1)
        moved = meter.total
    report = FetchReport(
        series_present=len(content),
        series_fetched=fetched,
        bytes_fetched=moved,
        seconds=round(time.perf_counter() - started, 3),
        failures=sorted(failures, key=lambda failure: failure["series_uid"]),
        content=dict(sorted(content.items())),
        plan=plan,
    )
    if len(failures) > max_missing_share * max(1, len(wanted)):
        first = report.failures[0]
        raise TooManySeriesMissingError(
            f"{dataset}: {len(failures)} of {len(wanted)} series could not be fetched, more than the share of "
            f"{max_missing_share:g} that may be missing; the first, {first['series_uid']}: {first['reason']}. "
            "What arrived is kept: materialise source_files again, or raise max_missing_share"
        )
    return report


def fetch_one(
    archive: Archive,
    row: dict[str, Any],
    folder: Path,
    *,
    run_id: str,
    patience: Patience = PATIENT,
    on_bytes: Callable[[int], None] = lambda amount: None,
    stop: threading.Event | None = None,
) -> str:
    """Fetch, verify and publish one series, trying again while that may help; return its content hash.

    ``stop``, once set, ends the attempt at hand and all waiting. Raises the `ArchiveError` of the last
    attempt, or `UnsafeNameError`.
    """
    halt = stop or threading.Event()
    final = folder / check_uid(str(row["series_uid"]))

    def attempt() -> str:
        counted = 0

        def count(amount: int) -> None:
            nonlocal counted
            if halt.is_set():
                raise _StoppedError("the run was stopped")
            counted += amount
            on_bytes(amount)

        started = time.perf_counter()
        try:
            with staging(final, swept=True) as staged:
                delivery = archive.fetch_series(row, staged, count)
                manifest = verified_manifest(
                    staged,
                    delivery,
                    row,
                    input_hash=row_hash(row),
                    code_version=CODE_VERSION,
                    run_id=run_id,
                    started=started,
                )
                publish_folder(staged, final, manifest)
                return manifest.content_hash
        except BaseException as error:
            on_bytes(-counted)  # what did not count must not show
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    f"the disk of {folder} is full ({free_bytes(folder) / 1e9:.1f} GB free); make room and start "
                    "again: what was fetched is kept"
                ) from None
            raise

    return patience.call(attempt, sleep=halt.wait)


class _StoppedError(ArchiveError):
    """The run ends; nothing is wrong with the series."""


def row_hash(row: dict[str, Any]) -> str:
    """Return the hash of what decides whether a stored series is still the one that the catalogue means."""
    names = ("dataset", "series_uid", "instances", "size_bytes", "revised_release", "archive_ref")
    return digest({name: row.get(name) for name in names})


class _Meter:
    """Adds up bytes from several threads, and shows them."""

    def __init__(self, task: Task) -> None:
        self.total = 0
        self._task = task
        self._lock = threading.Lock()

    def add(self, amount: int) -> None:
        with self._lock:
            self.total += amount
            self._task.advance(amount)


def _present(wanted: list[dict[str, Any]], folder: Path, workers: int, progress: Progress) -> dict[str, str]:
    """Return the content hashes of the series that are there, whole to the last byte, and of this revision."""

    def intact(row: dict[str, Any]) -> str | None:
        try:
            series = folder / check_uid(str(row["series_uid"]))
        except UnsafeNameError:
            return None
        manifest = read_manifest(series)
        if manifest is None or manifest.input_hash != row_hash(row) or damaged_files(series):
            return None
        extra = {path.relative_to(series).as_posix() for path in series.rglob("*") if path.is_file()}
        return manifest.content_hash if extra == {*manifest.files, MANIFEST} else None

    candidates = [row for row in wanted if (folder / str(row["series_uid"]) / MANIFEST).is_file()]
    content: dict[str, str] = {}
    if candidates:
        with progress.task("Verifying what is stored", total=len(candidates), unit="series") as task:
            for row, result in _each(candidates, intact, workers):
                if isinstance(result, BaseException) and not isinstance(result, OSError):
                    raise result
                if isinstance(result, str):
                    content[row["series_uid"]] = result
                task.advance(1)
    return content


def _each(
    rows: list[dict[str, Any]],
    work: Callable[[dict[str, Any]], Any],
    workers: int,
    stop: threading.Event | None = None,
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each row with the result of ``work`` or the expected error, as they come; few rows wait at a time."""
    pending: dict[Future[Any], dict[str, Any]] = {}
    queue = iter(rows)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="series")
    try:
        while True:
            for row in queue:
                pending[pool.submit(work, row)] = row
                if len(pending) >= 2 * workers:
                    break
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                row = pending.pop(future)
                error = future.exception()
                if error is not None and not isinstance(error, (ArchiveError, UnsafeNameError, OSError)):
                    raise error
                yield row, error if error is not None else future.result()
    finally:
        if stop is not None:
            stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
