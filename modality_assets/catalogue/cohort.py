"""Which of the kept series are wanted: whole series, under caps and a budget, spread as widely as they go.

The choice depends on the series, the caps, the budget and the seed, and on nothing else: not on the order
of rows, not on the versions of libraries.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from modality_assets.catalogue import published
from modality_assets.catalogue.locks import (
    CohortDifference,
    LockError,
    cohort_from_lock,
    diff_locks,
    make_lock,
    read_lock,
)
from modality_assets.catalogue.series import SERIES_SCHEMA, CatalogueError
from modality_assets.modality import CLASSES

__all__ = [
    "COHORTS",
    "GB",
    "CohortDifference",
    "LockError",
    "choose_cohort",
    "cohort_from_lock",
    "diff_locks",
    "read_lock",
]

GB = 1_000_000_000
"""Bytes in a GB of a budget."""

COHORTS = ("all", "dissertation")
"""Cohorts by name: everything that is kept, or the datasets of the published work."""


def choose_cohort(
    series: pl.DataFrame,
    *,
    caps: Mapping[str, int],
    budget_gb: float | None = None,
    budget_images: int | None = None,
    seed: int = 0,
    cohort: str = "all",
    excluded: Mapping[str, str] | None = None,
    collections: pl.DataFrame | None = None,
    archive: str = "",
    archive_version: str = "",
    policies: Mapping[str, bool] | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Choose whole series from the kept rows of ``series``; return them and the lock that pins the choice.

    ``caps`` maps a class to the most images (frames) that one dataset may give of it; ``budget_gb`` (1e9
    bytes) and ``budget_images`` limit the whole. Neither is ever exceeded. The budget is filled in turns:
    every dataset and class gets its first series before any gets a second, and goes on being served when it
    has received least, counted in images and bytes alike. Inside a dataset and class, manufacturers and body
    parts take turns, and inside those, patients.

    ``cohort`` is one of `COHORTS`; "dissertation" needs ``collections`` to find the published datasets.
    ``excluded`` maps datasets to the reason for leaving them out. ``archive``, ``archive_version`` and
    ``policies`` are written into the lock.

    The chosen rows have the columns of `SERIES_SCHEMA`, sorted by dataset, patient, study and series.
    Raises `CatalogueError` for an unknown cohort or class, for caps or budgets below zero, and for a budget
    in GB when sizes are not known.
    """
    _check(caps, budget_gb, budget_images, cohort)
    excluded = dict(excluded or {})
    candidates = series.filter(pl.col("kept") & ~pl.col("dataset").is_in(list(excluded)))
    if cohort == "dissertation":
        if collections is None:
            raise CatalogueError("cohort 'dissertation' is chosen by DOI: pass the archive's collections")
        candidates = candidates.filter(pl.col("dataset").is_in(list(published.pins(collections))))
    if budget_gb is not None and (unknown := candidates.get_column("size_bytes").null_count()):
        raise CatalogueError(
            f"{unknown} series have no size, so a budget in GB cannot be kept; give the budget in images"
        )
    if budget_gb is None and budget_images is None:
        crowded = _over_cap(candidates, caps)
        candidates, whole = candidates.filter(crowded), candidates.filter(~crowded)
    else:
        whole = candidates.clear()
    turns = _in_turns(candidates, seed)
    turns = turns.filter(_within_caps(turns, caps))
    if budget_gb is not None or budget_images is not None:
        turns = _by_share(turns)
        turns = turns.filter(_within_budget(turns, budget_gb, budget_images))
    chosen = pl.concat([whole, candidates[turns.get_column("_row")]]).select(*SERIES_SCHEMA)
    chosen = chosen.sort("dataset", "patient_id", "study_uid", "series_uid")
    choice = {
        "archive": archive,
        "archive_version": archive_version,
        "cohort": cohort,
        "policies": dict(sorted((policies or {}).items())),
        "caps": dict(sorted(caps.items())),
        "budget_gb": budget_gb,
        "budget_images": budget_images,
        "seed": seed,
        "excluded": dict(sorted(excluded.items())),
    }
    return chosen, make_lock(chosen, choice)


def _check(caps: Mapping[str, int], budget_gb: float | None, budget_images: int | None, cohort: str) -> None:
    if cohort not in COHORTS:
        raise CatalogueError(f"cohort {cohort!r} is unknown; the cohorts are {', '.join(COHORTS)}")
    for name, cap in caps.items():
        if name not in CLASSES:
            raise CatalogueError(f"caps: {name!r} is not a class; the classes are {', '.join(CLASSES)}")
        if cap < 0:
            raise CatalogueError(f"caps: {name} is {cap}; a cap is a number of images, 0 or more")
    for name, budget in (("budget_gb", budget_gb), ("budget_images", budget_images)):
        if budget is not None and not budget >= 0:
            raise CatalogueError(f"{name} is {budget}; a budget is 0 or more")


def _over_cap(candidates: pl.DataFrame, caps: Mapping[str, int]) -> pl.Series:
    """Return whether a row's dataset has more images of its class than may be taken: the others need no turns."""
    cap = pl.col("modality").replace_strict(list(caps), list(caps.values()), default=None, return_dtype=pl.Int64)
    images = pl.col("planned_images").fill_null(0).sum().over("dataset", "modality")
    return candidates.select((images > cap).fill_null(False)).to_series()


def _in_turns(candidates: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Order the series of every dataset and class by turns: manufacturer and body part, then patient, then chance.

    Returns _row (place in ``candidates``), modality, planned_images, size_bytes, _part (dataset x class),
    _class_turn (the part's place among its class's parts) and _series (chance), the parts one after another.
    """
    manufacturer = pl.col("manufacturer").fill_null("").str.to_lowercase().str.extract(r"([a-z0-9]+)", 1).fill_null("")
    patient = pl.coalesce("patient_id", "series_uid")
    keyed = candidates.select(
        "modality",
        pl.col("planned_images", "size_bytes").fill_null(0),
        _row=pl.int_range(pl.len(), dtype=pl.UInt32),
        _part=_chance(candidates, seed, pl.col("dataset"), pl.col("modality")),
        _stratum=_chance(candidates, seed, pl.col("dataset"), manufacturer, pl.col("body_part")),
        _patient=_chance(candidates, seed, pl.col("dataset"), patient),
        _series=_chance(candidates, seed, pl.col("series_uid")),
    )
    keyed = keyed.sort("_series").with_columns(_turn=pl.int_range(pl.len()).over("_part", "_stratum", "_patient"))
    keyed = keyed.sort("_turn", "_patient", "_series").with_columns(
        _turn=pl.int_range(pl.len()).over("_part", "_stratum")
    )
    return keyed.with_columns(_class_turn=pl.col("_part").rank("dense").over("modality")).sort(
        "_part", "_turn", "_stratum", "_series"
    )


def _chance(frame: pl.DataFrame, seed: int, *columns: pl.Expr) -> pl.Series:
    """Return a 64-bit number per row, even over all numbers and fixed by the seed and the columns' values.

    A cryptographic hash, because Polars' own may change from version to version.
    """
    texts = frame.select(pl.concat_str(*columns, separator="\x1f", ignore_nulls=True)).to_series()
    unique = texts.unique(maintain_order=True)
    salt = f"{seed}\x1f"
    hashes = b"".join(hashlib.blake2b((salt + text).encode(), digest_size=8).digest() for text in unique)
    chances = pl.Series(np.frombuffer(hashes, ">u8").astype(np.uint64))
    return chances if len(unique) == len(texts) else texts.replace_strict(unique, chances)


def _within_caps(turns: pl.DataFrame, caps: Mapping[str, int]) -> pl.Series:
    """Take each series in order that still fits under its dataset's cap of its class."""
    used: dict[int, int] = {}
    taken = []
    for part, name, images in turns.select("_part", "modality", "planned_images").iter_rows():
        total = used.get(part, 0) + images
        fits = name not in caps or total <= caps[name]
        if fits:
            used[part] = total
        taken.append(fits)
    return pl.Series("fits", taken, dtype=pl.Boolean)


def _by_share(turns: pl.DataFrame) -> pl.DataFrame:
    """Order all series by what their dataset and class has received before them; the classes alternate at equal shares.

    What is received counts images and bytes alike, so that a few large mammograms do not weigh as much as
    a few slices, and neither do a thousand slices weigh as little as a few bytes.
    """
    images, sizes = pl.col("planned_images"), pl.col("size_bytes")
    bytes_per_image = pl.max_horizontal(sizes.sum() // pl.max_horizontal(images.sum(), 1), 1)
    return (
        turns.with_columns(_cost=images * bytes_per_image + sizes)
        .with_columns(_received=(pl.col("_cost").cum_sum() - pl.col("_cost")).over("_part"))
        .sort("_received", "_class_turn", "modality", "_series")
    )


def _within_budget(ordered: pl.DataFrame, budget_gb: float | None, budget_images: int | None) -> pl.Series:
    """Take each series in order that still fits into both budgets."""
    unlimited = 2**63
    bytes_left = unlimited if budget_gb is None else int(min(budget_gb * GB, unlimited))
    images_left = unlimited if budget_images is None else budget_images
    taken = []
    for size, images in ordered.select("size_bytes", "planned_images").iter_rows():
        fits = size <= bytes_left and images <= images_left
        if fits:
            bytes_left -= size
            images_left -= images
        taken.append(fits)
    return pl.Series("fits", taken, dtype=pl.Boolean)
