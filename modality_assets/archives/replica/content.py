"""The archive's own content, made where it is missing: phantoms in three releases, and pydicom's samples."""

import fcntl
import importlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pydicom

from modality_assets.archives.replica import samples
from modality_assets.archives.replica.phantoms import datasets as definitions
from modality_assets.archives.replica.phantoms.acquisition import PhantomDataset
from modality_assets.archives.replica.phantoms.generate import (
    revised_folders,
    write_patient,
)
from modality_assets.archives.replica.phantoms.workers import end_with
from modality_assets.archives.replica.releases import (
    FILES_FOLDER,
    DatasetRelease,
    Releases,
    read_releases,
    set_release,
    write_releases,
)
from modality_assets.manifest import describe, digest, publish_folder, read_manifest, staging
from modality_assets.progress import SILENT, Progress, Task

__all__ = ["ensure_content", "generator_version", "pins", "set_release"]

RELEASE_DATES = {"1": "2025-03-03", "2": "2025-09-01", "3": "2026-03-02"}
_ASSET = "archive content"
_CC0 = ("CC0 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/")
_MIT = ("MIT License", "https://github.com/pydicom/pydicom/blob/main/LICENSE")


def ensure_content(
    folder: Path, progress: Progress = SILENT, *, datasets: Sequence[PhantomDataset] = definitions.DATASETS
) -> None:
    """Make the archive below ``folder`` complete: `files/<dataset>/` for every dataset, and `releases.json`.

    ``datasets`` are the phantoms, all of them by default; pydicom's samples are always there. Does nothing
    where it is complete and was made by this version of the generator. Each dataset appears whole, so that
    a killed run goes on where it was. Two processes do not make it at the same time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        missing = [dataset for dataset in datasets if not _is_complete(folder, dataset.name)]
        if missing:
            _make_phantoms(folder, missing, progress)
        if not _is_complete(folder, samples.DATASET):
            with staging(folder / FILES_FOLDER / samples.DATASET) as staged:
                started = time.monotonic()
                count = samples.copy_samples(staged)
                _publish(folder, samples.DATASET, staged, count, time.monotonic() - started)
        _remove_others(folder, {dataset.name for dataset in datasets} | {samples.DATASET})
        releases = _releases(datasets)
        if read_releases(folder) != releases:
            write_releases(folder, releases)


def pins() -> dict[str, str]:
    """Return dataset to split, for the datasets whose split is given: the real images are for testing."""
    return {samples.DATASET: "test"}


def generator_version(dataset: str) -> str:
    """Return a hash that changes whenever the files of ``dataset`` would come out differently."""
    if dataset == samples.DATASET:
        return digest([pydicom.__version__, Path(samples.__file__).read_text()])
    package = Path(importlib.import_module(definitions.__package__ or "").__file__ or "").parent
    sources = {path.relative_to(package).as_posix(): path.read_text() for path in sorted(package.rglob("*.py"))}
    return digest([dataset, sources])


def _is_complete(folder: Path, dataset: str) -> bool:
    manifest = read_manifest(folder / FILES_FOLDER / dataset)
    return manifest is not None and manifest.input_hash == generator_version(dataset)


def _publish(folder: Path, dataset: str, staged: Path, images: int, seconds: float) -> None:
    manifest = describe(
        staged,
        asset=_ASSET,
        partition=dataset,
        input_hash=generator_version(dataset),
        code_version="1",
        run_id="",
        seconds=seconds,
        counts={"images": images},
    )
    publish_folder(staged, folder / FILES_FOLDER / dataset, manifest)


def _make_phantoms(folder: Path, missing: list[PhantomDataset], progress: Progress) -> None:
    workers = min(len(os.sched_getaffinity(0)), 8)
    total = sum(dataset.patients for dataset in missing)
    # Spawned, not forked: the caller may have threads, and a fork would copy their locks.
    context = multiprocessing.get_context("spawn")
    with (
        ExitStack() as stack,
        progress.task("Drawing phantoms", total=total, unit="patients") as task,
        ProcessPoolExecutor(workers, mp_context=context, initializer=end_with, initargs=(os.getpid(),)) as pool,
    ):
        staged = {
            dataset.name: stack.enter_context(staging(folder / FILES_FOLDER / dataset.name)) for dataset in missing
        }
        jobs: dict[Future[int], str] = {
            pool.submit(write_patient, dataset.name, patient, staged[dataset.name] / f"{patient + 1:03d}"): dataset.name
            for dataset in missing
            for patient in range(dataset.patients)
        }
        try:
            _collect(folder, jobs, staged, task)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _collect(folder: Path, jobs: dict[Future[int], str], staged: dict[str, Path], task: Task) -> None:
    open_jobs = {name: sum(job == name for job in jobs.values()) for name in staged}
    images = dict.fromkeys(staged, 0)
    started = time.monotonic()
    for job in as_completed(jobs):
        name = jobs[job]
        images[name] += job.result()
        open_jobs[name] -= 1
        task.advance()
        if not open_jobs[name]:
            task.note(name)
            _publish(folder, name, staged[name], images[name], time.monotonic() - started)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove datasets of an older version of the generator."""
    for path in (folder / FILES_FOLDER).iterdir():
        manifest = read_manifest(path) if path.name not in wanted else None
        if manifest is not None and manifest.asset == _ASSET:
            shutil.rmtree(path)


def _releases(phantoms: Sequence[PhantomDataset]) -> Releases:
    datasets = {
        dataset.name: DatasetRelease(
            first=dataset.release,
            withdrawn=dataset.withdrawn,
            title=f"{dataset.title} (synthetic)",
            description=f"{dataset.title}. Synthetic phantoms, drawn by simple physics; no person was imaged.",
            licence=_CC0[0],
            licence_uri=_CC0[1],
            phantom=True,
        )
        for dataset in phantoms
    }
    datasets[samples.DATASET] = DatasetRelease(
        title=samples.TITLE,
        description="Real images, not phantoms: the CT, MR and CR files that pydicom ships for its tests, as they are.",
        licence=_MIT[0],
        licence_uri=_MIT[1],
    )
    revisions = {}
    for dataset in phantoms:
        if dataset.revised is not None:
            uid, before, after = revised_folders(dataset)
            patient = f"{dataset.name}/{dataset.revised[1] + 1:03d}"
            revisions[uid] = {
                str(dataset.release): f"{patient}/{before}",
                str(dataset.revised[0]): f"{patient}/{after}",
            }
    return Releases(RELEASE_DATES, datasets, revisions)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system frees it when the holder dies."""
    with (folder / ".making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
