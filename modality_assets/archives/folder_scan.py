"""The headers of every file of a folder archive, read in parallel where there are many."""

import multiprocessing
import os
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from modality_assets.archives.adapters.member import Member
from modality_assets.archives.datasets_csv import DatasetRow
from modality_assets.archives.headers import Header, read_header
from modality_assets.progress import Progress

_BATCH = 256
_WORTH_PROCESSES = 4000
"""Starting worker processes takes about as long as reading this many headers."""


@dataclass(frozen=True)
class ScannedFile:
    """One member with its header facts, size in bytes (companions included) and time of change in ns."""

    member: Member
    header: Header
    size_bytes: int
    changed_ns: int
    instances: int = 1


def scan(
    found: list[tuple[DatasetRow, list[Member]]], progress: Progress, workers: int | None = None
) -> list[tuple[DatasetRow, list[ScannedFile]]]:
    """Read the header of every member; the order is kept. Files that cannot be read come with ``problem``."""
    jobs = [
        (str(row.folder), members[start : start + _BATCH])
        for row, members in found
        for start in range(0, len(members), _BATCH)
    ]
    total = sum(len(members) for _, members in found)
    results: list[ScannedFile] = []
    with progress.task("Reading headers", total=total, unit="files") as task:
        for batch in _batches(jobs, total, workers or os.cpu_count() or 1):
            results += batch
            task.advance(len(batch))
    scanned, start = [], 0
    for row, members in found:
        scanned.append((row, _settle_guesses(results[start : start + len(members)])))
        start += len(members)
    return scanned


def _batches(jobs: list[tuple[str, list[Member]]], total: int, workers: int) -> Iterator[list[ScannedFile]]:
    if total < _WORTH_PROCESSES or workers == 1:
        yield from map(_scan_batch, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_scan_batch, jobs)


def _scan_batch(job: tuple[str, list[Member]]) -> list[ScannedFile]:
    folder, members = Path(job[0]), job[1]
    return [_scan_one(folder, member) for member in members]


def _scan_one(folder: Path, member: Member) -> ScannedFile:
    path = folder / member.path
    try:
        stat = path.stat()
        size = stat.st_size + sum((folder / name).stat().st_size for name in member.companions)
        changed = stat.st_mtime_ns
    except OSError as error:
        return ScannedFile(member, Header("DICOM", problem=f"cannot be opened: {error.strerror}"), 0, 0)
    if member.packed:
        return replace(_scan_packed(path, member), changed_ns=changed)
    return ScannedFile(member, read_header(path, guess=""), size, changed)


def _scan_packed(path: Path, member: Member) -> ScannedFile:
    """Read a tar of one series: the header of its first file, the number and size of all."""
    import tempfile

    try:
        with tarfile.open(path) as tar:
            files = [entry for entry in tar if entry.isfile()]
            if not files:
                raise tarfile.ReadError("it holds no files")
            first = tar.extractfile(files[0])
            assert first is not None  # isfile() says so
            with first, tempfile.NamedTemporaryFile(suffix=".dcm") as copy:
                copy.write(first.read())
                copy.flush()
                header = read_header(copy.name)
    except (tarfile.TarError, OSError, EOFError) as error:
        return ScannedFile(member, Header("DICOM", problem=f"cannot be unpacked: {error}"), path.stat().st_size, 0)
    return ScannedFile(member, header, sum(entry.size for entry in files), 0, instances=len(files))


def _settle_guesses(files: Iterable[ScannedFile]) -> list[ScannedFile]:
    """Give files of unknown format that of most files beside them, so that decoding refuses them as such."""
    files = list(files)
    known = [file.header.format for file in files if file.header.format]
    usual = max(sorted(set(known)), key=known.count) if known else "DICOM"
    return [file if file.header.format else replace(file, header=replace(file.header, format=usual)) for file in files]
