"""Where everything lies: every path below a data root is made here and nowhere else."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modality_assets.manifest import MANIFEST, current, origin_of, origins, read_manifest

STORAGE = "MODALITY_STORAGE"
"""Environment variable: ``postgresql://user:password@host/database`` in place of SQLite below the data root."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.]{0,63}")


class UnsafeNameError(ValueError):
    """A name from outside would not make a safe path."""


def check_dataset_key(key: str) -> str:
    """Return ``key`` if it may be a partition key and a folder name; raise `UnsafeNameError` otherwise."""
    if not _KEY.fullmatch(key) or len(key) > 128:
        raise UnsafeNameError(
            f"dataset {key!r}: a key is letters, digits, '.', '_' and '-', starting with a letter or digit"
        )
    return key


def dataset_key(name: str) -> str:
    """Return the dataset key of an archive's collection name, other characters replaced by '-'."""
    return check_dataset_key(re.sub(r"[^A-Za-z0-9._-]+", "-", name.strip()).lstrip("._-"))


def check_uid(uid: str) -> str:
    """Return ``uid`` if it is safe as a folder name (DICOM PS3.5 section 9.1 allows digits and dots only)."""
    if not _UID.fullmatch(uid) or ".." in uid:
        raise UnsafeNameError(f"UID {uid!r} has characters that no path may have; the series is refused")
    return uid


@dataclass(frozen=True)
class DataLayout:
    """The paths of one data root; one root holds what was made from one archive."""

    root: Path

    @property
    def address(self) -> str:
        """What ``--data`` names: a folder, or the object store of which ``root`` is a copy."""
        return origins[self.root].url if self.root in origins else str(self.root)

    @property
    def settings(self) -> Path:
        return current(self.root / "settings.json")

    @property
    def lock(self) -> Path:
        return self.root / "run.lock"

    @property
    def dagster_home(self) -> Path:
        return self.root / "dagster"

    @property
    def replica(self) -> Path:
        """The embedded archive's own content: generated phantoms, by release."""
        return self.root / "archive"

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue"

    @property
    def series_table(self) -> Path:
        return _found(self.catalogue, "series.parquet")

    @property
    def collections_table(self) -> Path:
        return _found(self.catalogue, "collections.parquet")

    @property
    def cohort(self) -> Path:
        return self.root / "cohort"

    @property
    def cohort_table(self) -> Path:
        return _found(self.cohort, "series.parquet")

    @property
    def cohort_lock(self) -> Path:
        return _found(self.cohort, "cohort.lock.json")

    def split(self, plan: str | None = None) -> Path:
        """The folder of the current plan, or of another plan by name."""
        return self.root / "split" if plan is None else self.root / "split" / check_dataset_key(plan)

    def split_table(self, plan: str | None = None) -> Path:
        return _found(self.split(plan), "datasets.parquet")

    def split_record(self, plan: str | None = None) -> Path:
        return _found(self.split(plan), "plan.json")

    def source_files(self, dataset: str) -> Path:
        return self.root / "source_files" / check_dataset_key(dataset)

    def source_series(self, dataset: str, series_uid: str) -> Path:
        return self.source_files(dataset) / check_uid(series_uid)

    def decoded(self, dataset: str) -> Path:
        return self.root / "decoded" / check_dataset_key(dataset)

    def images_table(self, dataset: str) -> Path:
        """The table of a dataset's decoded images."""
        return _found(self.decoded(dataset), "images.parquet")

    def shards(self, rescaling: str, split: str) -> Path:
        return self.root / "shards" / rescaling / split

    def model(self, architecture: str, rescaling: str) -> Path:
        return self.root / "models" / architecture / rescaling

    def report(self, architecture: str, rescaling: str) -> Path:
        return self.reports / architecture / rescaling

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    def version(self, architecture: str, rescaling: str, input_hash: str) -> Path:
        """A model trained over an earlier one, or replaced by one: `model/`, `report/`, the decision."""
        return self.root / "versions" / architecture / rescaling / input_hash[:12]

    @property
    def version_folders(self) -> list[Path]:
        return _folders(self.root / "versions", "*/*/*")

    def refresh_record(self, number: int) -> Path:
        """What one refresh brought and did; numbers count from 1."""
        return current(self.root / "refresh" / f"{number:04d}" / "refresh.json")

    @property
    def refresh_records(self) -> list[Path]:
        """The record of every refresh, oldest first."""
        numbers = [int(folder.name) for folder in _folders(self.root / "refresh", "*") if folder.name.isdigit()]
        return [record for number in numbers if (record := self.refresh_record(number)).is_file()]

    @property
    def set_aside(self) -> Path:
        """The datasets that could not be fetched or decoded after every attempt, and why."""
        return current(self.root / "refresh" / "set_aside.json")

    @property
    def comparison_table(self) -> Path:
        return _found(self.reports, "comparison.parquet")

    @property
    def probes_table(self) -> Path:
        return self.reports / "probes.parquet"

    @property
    def disagreements_table(self) -> Path:
        return _found(self.reports, "disagreements.parquet", "disagreements.manifest.json")

    def experiment(self, study: str, trial: str) -> Path:
        return self.root / "experiments" / study / trial

    @property
    def decoded_folders(self) -> list[Path]:
        """The decoded datasets on disk, complete or not; likewise below."""
        return _folders(self.root / "decoded", "*")

    @property
    def source_folders(self) -> list[Path]:
        return _folders(self.root / "source_files", "*")

    @property
    def shard_folders(self) -> list[Path]:
        return _folders(self.root / "shards", "*/*")

    @property
    def model_folders(self) -> list[Path]:
        return _folders(self.root / "models", "*/*")

    @property
    def report_folders(self) -> list[Path]:
        return _folders(self.reports, "*/*")

    @property
    def experiment_folders(self) -> list[Path]:
        return _folders(self.root / "experiments", "*/*")


def _found(folder: Path, name: str, manifest: str = MANIFEST) -> Path:
    """Return a file of a result, brought first where the data root is a copy of an object store."""
    if origin_of(folder) is not None:
        read_manifest(folder, manifest)
    return folder / name


def _folders(below: Path, pattern: str) -> list[Path]:
    origin = origin_of(below)
    if origin is not None:
        return origin.folders(below, pattern)
    return sorted(path for path in below.glob(pattern) if path.is_dir() and not path.name.startswith("."))


def data_root(archive_name: str, data: str | os.PathLike[str] | None = None) -> Path:
    """Return the data root: ``data`` or MODALITY_DATA exactly, else ``./data/<archive name>``.

    For ``s3://bucket/prefix`` it is the folder on this machine that holds a copy of what was used of it.
    """
    exact = data or os.environ.get("MODALITY_DATA")
    if exact and str(exact).startswith("s3://"):
        from modality_assets.object_store import open_root

        return open_root(str(exact))
    return Path(exact).expanduser().absolute() if exact else Path("data").absolute() / check_dataset_key(archive_name)
