"""The lock of a cohort: what was asked for, what was chosen, and how to have the same again.

A lock is one JSON object. It names the archive and its version, policies, caps, budget and seed, and
every chosen series with a fingerprint of what the archive said of it: release, files, images, bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.catalogue.series import SERIES_SCHEMA, CatalogueError
from modality_assets.manifest import digest
from modality_assets.modality import CLASSES

LOCK_VERSION = 1
_CHOICE = (
    *("archive", "archive_version", "cohort", "policies", "caps", "budget_gb", "budget_images", "seed", "excluded"),
)


class LockError(CatalogueError):
    """A lock cannot be read, or the archive no longer has what it pins."""


@dataclass(frozen=True)
class CohortDifference:
    """What changed between two locks.

    ``series``: dataset, series_uid, change ("added", "revised", "removed"), sorted. ``datasets``: dataset,
    added, revised, removed (numbers of series). ``choices``: what was asked for differently, name to (old, new).
    """

    series: pl.DataFrame
    datasets: pl.DataFrame
    choices: dict[str, tuple[Any, Any]]


def make_lock(chosen: pl.DataFrame, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lock of the ``chosen`` series; ``choice`` is what was asked for, JSON-able."""
    pinned: dict[str, dict[str, str]] = {}
    for dataset, uid, fingerprint in _fingerprints(chosen).sort("dataset", "series_uid").iter_rows():
        pinned.setdefault(dataset, {})[uid] = fingerprint
    images = {name: int(chosen.filter(modality=name).get_column("planned_images").sum() or 0) for name in CLASSES}
    return {
        "lock_version": LOCK_VERSION,
        **choice,
        "counts": {
            "datasets": len(pinned),
            "series": chosen.height,
            "images": images,
            "size_bytes": int(chosen.get_column("size_bytes").sum() or 0),
        },
        "hash": digest(pinned),
        "series": pinned,
    }


def read_lock(path: Path) -> dict[str, Any]:
    """Return the lock in the JSON file ``path``; raise `LockError` where there is none that can be read."""
    try:
        lock = json.loads(path.read_text())
    except FileNotFoundError:
        raise LockError(f"{path}: there is no such file; a lock is `cohort/cohort.lock.json` of a data root") from None
    except (OSError, ValueError) as error:
        raise LockError(f"{path}: cannot be read as a cohort lock ({error}); choose the cohort again") from None
    if not isinstance(lock, dict):
        raise LockError(f"{path}: not a cohort lock, which is one JSON object; choose the cohort again")
    _pinned(lock)
    return lock


def cohort_from_lock(lock: Mapping[str, Any], series: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the catalogue's ``series`` that ``lock`` pins, as `choose_cohort` returned them.

    Raises `LockError` when the lock is not one of this version or was edited, and when a series that it
    pins is gone from the archive or is no longer what it was.
    """
    pinned = _pinned(lock).rename({"fingerprint": "pinned"})
    here = series.join(pinned, on=["dataset", "series_uid"], how="semi")
    compared = pinned.join(_fingerprints(here), on=["dataset", "series_uid"], how="left")
    gone = compared.filter(pl.col("fingerprint").is_null())
    changed = compared.filter(pl.col("fingerprint") != pl.col("pinned"))
    if gone.height or changed.height:
        dataset, uid = (gone if gone.height else changed).row(0)[:2]
        raise LockError(
            f"{gone.height} of the {pinned.height} series of the lock are gone and {changed.height} are revised, "
            f"such as {uid} of {dataset}; the lock was made of {lock.get('archive')} {lock.get('archive_version')}: "
            "use that version, or choose a new cohort and look at `modality cohort diff`"
        )
    return here.select(*SERIES_SCHEMA).sort("dataset", "patient_id", "study_uid", "series_uid")


def diff_locks(old: Mapping[str, Any], new: Mapping[str, Any]) -> CohortDifference:
    """Return what ``new`` adds, revises and removes against ``old``; raise `LockError` for what is no lock.

    A series is revised when the archive says something else of it: release, number of files, images or bytes.
    """
    joined = _pinned(old).join(_pinned(new), on=["dataset", "series_uid"], how="full", coalesce=True, suffix="_new")
    change = (
        pl.when(pl.col("fingerprint").is_null())
        .then(pl.lit("added"))
        .when(pl.col("fingerprint_new").is_null())
        .then(pl.lit("removed"))
        .when(pl.col("fingerprint") != pl.col("fingerprint_new"))
        .then(pl.lit("revised"))
    )
    series = (
        joined.select("dataset", "series_uid", change=change)
        .filter(pl.col("change").is_not_null())
        .sort("dataset", "series_uid")
    )
    counts = ((pl.col("change") == name).sum().alias(name) for name in ("added", "revised", "removed"))
    return CohortDifference(
        series=series,
        datasets=series.group_by("dataset").agg(counts).sort("dataset"),
        choices={name: (old.get(name), new.get(name)) for name in _CHOICE if old.get(name) != new.get(name)},
    )


def _fingerprints(series: pl.DataFrame) -> pl.DataFrame:
    """Return (dataset, series_uid, fingerprint); the fingerprint leaves out addresses, which may change alone."""
    said = series.select(
        "dataset",
        "series_uid",
        said=pl.concat_str(
            *(
                pl.col(name).cast(pl.String).fill_null("-")
                for name in ("revised_release", "instances", "planned_images")
            ),
            pl.col("size_bytes").cast(pl.String).fill_null("-"),
            separator=" ",
        ),
    )
    unique = {text: hashlib.sha256(text.encode()).hexdigest()[:12] for text in said.get_column("said").unique()}
    return said.select(
        "dataset",
        "series_uid",
        fingerprint=pl.col("said").replace_strict(list(unique), list(unique.values()), return_dtype=pl.String),
    )


def _pinned(lock: Mapping[str, Any]) -> pl.DataFrame:
    if lock.get("lock_version") != LOCK_VERSION or not isinstance(lock.get("series"), Mapping):
        raise LockError(
            "not a cohort lock of this version: it has no `lock_version` 1 or no `series`; choose the cohort again"
        )
    if digest(lock["series"]) != lock.get("hash"):
        raise LockError(
            "the lock's series do not have the hash it states: it was edited or cut off; choose the cohort again"
        )
    rows = [(dataset, uid, print_) for dataset, uids in lock["series"].items() for uid, print_ in uids.items()]
    return pl.DataFrame(
        rows, schema={"dataset": pl.String, "series_uid": pl.String, "fingerprint": pl.String}, orient="row"
    )
