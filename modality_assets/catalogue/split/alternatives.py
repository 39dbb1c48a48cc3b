"""Other plans from the same planner: one dataset held back, or k folds over the datasets."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from modality_assets.catalogue.split.errors import FoldsError, ProfileError
from modality_assets.catalogue.split.given import given_plan
from modality_assets.catalogue.split.groups import form_units
from modality_assets.catalogue.split.kinship import find_kin
from modality_assets.catalogue.split.planner import plan_split
from modality_assets.catalogue.split.profile import conform_profile
from modality_assets.catalogue.split.record import SplitPlan
from modality_assets.catalogue.split.rules import SHARES

_LEAST_FOLDS = 3


def leave_one_out(profile: pl.DataFrame, dataset: str, **options: Any) -> SplitPlan:
    """Return the plan that tests on ``dataset`` alone, with whatever shares patients with it.

    The others are placed in train and validate, in the proportion of their ``shares``. ``options`` are
    those of `plan_split` but pins and previous; the name is ``without-<dataset>``. Raises `ProfileError`
    where the dataset is not in the profile.
    """
    if dataset not in conform_profile(profile).get_column("dataset"):
        raise ProfileError(f"{dataset!r} is not in the cohort, and cannot be left out of it")
    shares = dict(options.pop("shares", SHARES))
    rest = {split: share for split, share in shares.items() if split != "test"}
    whole = sum(rest.values())
    options.setdefault("name", f"without-{dataset}")
    return plan_split(
        profile,
        shares={split: share / whole for split, share in rest.items()} | {"test": 0.0},
        pins={dataset: "test"},
        **options,
    )


def leave_each_out(profile: pl.DataFrame, **options: Any) -> Iterator[SplitPlan]:
    """Yield `leave_one_out` for each dataset, one for each group that shares patients."""
    done: set[str] = set()
    for dataset in conform_profile(profile).get_column("dataset").unique().sort():
        if dataset not in done:
            plan = leave_one_out(profile, dataset, **options)
            done |= set(plan.datasets.filter(pl.col("split") == "test").get_column("dataset"))
            yield plan


def plan_folds(profile: pl.DataFrame, folds: int = 5, **options: Any) -> list[SplitPlan]:
    """Return ``folds`` plans over one partition of the datasets into equal parts, from `plan_split`.

    Plan i tests on part i, validates on the next, and trains on the others; every dataset is in the test
    split of one plan. ``options`` are those of `plan_split` but shares, pins, previous and name; the names
    are ``fold-<i>-of-<folds>``. Raises `FoldsError` for fewer than three folds, or more than there are
    datasets that share no patients.
    """
    if folds < _LEAST_FOLDS:
        raise FoldsError(f"{folds} folds leave nothing to train on beside validate and test; ask for three or more")
    datasets = conform_profile(profile).get_column("dataset").unique().sort().to_list()
    kin = find_kin(datasets, options.get("kinship"), options.get("shared"))
    names = [f"part-{number:02d}" for number in range(1, folds + 1)]
    groups = len(form_units(datasets, kin, {}, {}, names).units)
    if groups < folds:
        raise FoldsError(f"{groups} datasets that share no patients cannot be cut into {folds} folds; ask for fewer")
    parts = plan_split(profile, shares=dict.fromkeys(names, 1 / folds), name=f"{folds}-parts", **options)
    part_of = dict(parts.datasets.select("dataset", "split").iter_rows())
    kept = {
        key: options[key] for key in ("kinship", "shared", "candidates", "tolerance", "most_carried") if key in options
    }
    shares = {"train": 1 - 2 / folds, "validate": 1 / folds, "test": 1 / folds}
    plans = []
    for number, part in enumerate(names):
        split_of = {part: "test", names[(number + 1) % folds]: "validate"}
        assignment = {dataset: split_of.get(where, "train") for dataset, where in part_of.items()}
        reasons = {
            row["dataset"]: f"in part {names.index(row['split']) + 1} of {folds}: {row['reason']}"
            for row in parts.datasets.iter_rows(named=True)
        }
        plan = given_plan(
            profile, assignment, name=f"fold-{number + 1}-of-{folds}", shares=shares, reasons=reasons, **kept
        )
        table = plan.datasets.with_columns(pinned=pl.lit(False))
        plans.append(SplitPlan(table, plan.record | {"solves": parts.record["solves"], "gap": parts.record["gap"]}))
    return plans
