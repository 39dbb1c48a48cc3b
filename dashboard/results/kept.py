"""What is read from disk is kept in memory as long as the file stays the same, and no more than so much of it."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

import modality_assets
from modality_assets.manifest import MANIFEST, Manifest, origin_of, read_manifest

_PUBLISHED = Path(modality_assets.__file__).parent / "catalogue" / "published"


class NotMaterialisedError(Exception):
    """A result that a page shows is not there, or not whole; ``asset`` names what to materialise."""

    def __init__(self, asset: str, partition: str | None = None) -> None:
        super().__init__(asset, partition)
        self.asset, self.partition = asset, partition


@dataclass(frozen=True)
class Source:
    """Where a figure comes from: the asset, its partition, and when it was materialised."""

    asset: str
    partition: str | None = None
    created_utc: str | None = None


def source_of(manifest: Manifest) -> Source:
    """Return the source that a result's manifest names."""
    return Source(manifest.asset, manifest.partition, manifest.created_utc)


def required(folder: Path, asset: str, name: str = MANIFEST) -> tuple[Manifest, Source]:
    """Return the manifest of a whole result and its source; raise `NotMaterialisedError` where it is not whole."""
    manifest = manifest_of(folder, name)
    if manifest is None:
        raise NotMaterialisedError(asset)
    return manifest, source_of(manifest)


def stamp(path: Path) -> tuple[Path, int]:
    """Return a path and when it was last written, 0 where it is not there: what kept tables are known by."""
    try:
        return path, path.stat().st_mtime_ns
    except FileNotFoundError:
        return path, 0


def manifest_of(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """Return the manifest of a result, None where the result is not whole."""
    if origin_of(folder) is not None:
        return read_manifest(folder, name)
    _, written = stamp(folder / name)
    return _manifest(folder, name, written) if written else None


def manifest_without_files(folder: Path) -> Manifest | None:
    """Return a manifest without its list of files, which may be longer than everything else together."""
    if origin_of(folder) is not None:
        return read_manifest(folder)
    return _without_files(*stamp(folder / MANIFEST))


def table_of(path: Path) -> pl.DataFrame:
    """Return a small table, whole."""
    return _table(*stamp(path))


def json_of(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds."""
    return _json(*stamp(path))


@lru_cache(maxsize=8)
def published(name: str) -> pl.DataFrame:
    """Return a table of the published work that comes with the project."""
    return pl.read_csv(_PUBLISHED / name)


@lru_cache(maxsize=4096)
def _manifest(folder: Path, name: str, _written: int) -> Manifest | None:
    return read_manifest(folder, name)


@lru_cache(maxsize=512)
def _without_files(path: Path, _written: int) -> Manifest | None:
    try:
        head = path.read_text().split('\n "files": {', 1)[0].rstrip().removesuffix(",")
        return Manifest(**json.loads(head + "}"))
    except (OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=128)
def _table(path: Path, _written: int) -> pl.DataFrame:
    return pl.read_parquet(path)


@lru_cache(maxsize=64)
def _json(path: Path, _written: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
