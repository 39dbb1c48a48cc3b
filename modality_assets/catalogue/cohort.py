"""Which of the kept series are wanted: whole series, under caps and a budget, spread as widely as they go.

The choice depends on the series, the caps, the budget and the seed, and on nothing else: not on the order
of rows, not on the versions of libraries.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from modality_assets.catalogue import published
from modality_assets.catalogue.locks import CohortDifference, LockError, cohort_from_lock, diff_locks, make_lock
from modality_assets.catalogue.series import SERIES_SCHEMA, CatalogueError
from modality_assets.modality import CLASSES

__all__ = ["COHORTS", "GB", "CohortDifference", "LockError", "choose_cohort", "cohort_from_lock", "diff_locks"]

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
    turns = _in_turns(candidates, seed)
    turns = turns.filter(_within_caps(turns, caps))
    if budget_gb is not None or budget_images is not None:
        turns = _by_share(turns)
        turns = turns.filter(_within_budget(turns, budget_gb, budget_images))
    chosen = turns.select(*SERIES_SCHEMA).sort("dataset", "patient_id", "study_uid", "series_uid")
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


def _in_turns(candidates: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Order the series of every dataset and class by turns: manufacturer and body part, then patient, then chance.

    Adds _part (dataset x class), _class_turn (the part's place among its class's parts), _series, and leaves
    the parts one after another, each in its order.
    """
    manufacturer = pl.col("manufacturer").fill_null("").str.to_lowercase().str.extract(r"([a-z0-9]+)", 1).fill_null("")
    patient = pl.coalesce("patient_id", "series_uid")
    keyed = candidates.with_columns(
        _part=_chance(candidates, seed, pl.col("dataset"), pl.col("modality")),
        _stratum=_chance(candidates, seed, pl.col("dataset"), manufacturer, pl.col("body_part")),
        _patient=_chance(candidates, seed, pl.col("dataset"), patient),
        _series=_chance(candidates, seed, pl.col("dataset"), pl.col("series_uid")),
    )
    keyed = keyed.sort("_series", "series_uid").with_columns(
        _turn=pl.int_range(pl.len()).over("_part", "_stratum", "_patient")
    )
    keyed = keyed.sort("_turn", "_patient", "_series").with_columns(
        _turn=pl.int_range(pl.len()).over("_part", "_stratum")
    )
    return keyed.with_columns(_class_turn=pl.col("_part").rank("dense").over("modality")).sort(
        "_part", "_turn", "_stratum", "_series", "series_uid"
    )


def _chance(frame: pl.DataFrame, seed: int, *columns: pl.Expr) -> pl.Series:
    """Return a 64-bit number per row, even over all numbers and fixed by the seed and the columns' values.

    A cryptographic hash, because Polars' own may change from version to version.
    """
    texts = frame.select(pl.concat_str(*columns, separator="\x1f", ignore_nulls=True)).to_series()
    salt = str(seed).encode()
    numbers = {
        text: int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, salt=salt[:16]).digest())
        for text in texts.unique()
    }
    return texts.replace_strict(list(numbers), list(numbers.values()), return_dtype=pl.UInt64)


def _within_caps(turns: pl.DataFrame, caps: Mapping[str, int]) -> pl.Series:
    """Take each series in order that still fits under its dataset's cap of its class."""
    used: dict[int, int] = {}
    taken = []
    for part, name, images in turns.select("_part", "modality", pl.col("planned_images").fill_null(0)).iter_rows():
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
    bytes_of = pl.col("size_bytes").fill_null(0)
    bytes_per_image = pl.max_horizontal(bytes_of.sum() // pl.max_horizontal(pl.col("planned_images").sum(), 1), 1)
    cost = pl.col("planned_images").fill_null(0) * bytes_per_image + bytes_of
    return (
        turns.with_columns(_cost=cost)
        .with_columns(_received=(pl.col("_cost").cum_sum() - pl.col("_cost")).over("_part"))
        .sort("_received", "_class_turn", "modality", "_series", "series_uid")
    )


def _within_budget(ordered: pl.DataFrame, budget_gb: float | None, budget_images: int | None) -> pl.Series:
    """Take each series in order that still fits into both budgets."""
    bytes_left = float("inf") if budget_gb is None else int(budget_gb * GB)
    images_left = float("inf") if budget_images is None else budget_images
    taken = []
    for size, images in ordered.select(
        pl.col("size_bytes").fill_null(0), pl.col("planned_images").fill_null(0)
    ).iter_rows():
        fits = size <= bytes_left and images <= images_left
        if fits:
            bytes_left -= size
            images_left -= images
        taken.append(fits)
    return pl.Series("fits", taken, dtype=pl.Boolean)
