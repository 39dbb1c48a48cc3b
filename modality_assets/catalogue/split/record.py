"""A finished plan: the table of datasets, and the record that says what holds, what does not, and why."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import scipy

from modality_assets.catalogue.split.errors import PolicyChangedError
from modality_assets.catalogue.split.kinship import Kin
from modality_assets.catalogue.split.program import Solution
from modality_assets.catalogue.split.relax import Relaxation, find_relaxations
from modality_assets.catalogue.split.rules import HARD_RULES, SOFT_RULES, Demands
from modality_assets.catalogue.split.tables import leakage_groups, split_cells, worst_deviation

PLAN_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "split": pl.String(),
    "pinned": pl.Boolean(),
    "group": pl.String(),
    "reason": pl.String(),
}
"""split/datasets.parquet: one row per dataset, sorted by name."""


POLICY_KEYS = ("shares", "tolerance", "most_carried")
"""What makes a plan another plan when it changes."""


@dataclass(frozen=True)
class Solve:
    """How one integer program ended."""

    name: str
    objective: float | None
    bound: float | None
    gap: float | None
    nodes: int
    proven: bool
    by_clock: bool
    seconds: float

    @classmethod
    def of(cls, name: str, solution: Solution, seconds: float) -> "Solve":
        """Describe ``solution``; ``gap`` is what an answer might still gain, in the objective's own unit."""
        found = solution.values is not None
        known = found and solution.bound > -1e300
        return cls(
            name=name,
            objective=round(solution.objective, 9) if found else None,
            bound=round(solution.bound, 9) if known else None,
            gap=round(max(solution.objective - solution.bound, 0.0), 9) if known else None,
            nodes=solution.nodes,
            proven=solution.complete,
            by_clock=solution.by_clock,
            seconds=round(seconds, 3),
        )


@dataclass(frozen=True)
class SplitPlan:
    """A plan: ``datasets`` (`PLAN_SCHEMA`) for split/datasets.parquet, ``record`` for split/plan.json.

    Everything in the record but ``record["timing"]`` depends on the arguments alone.
    """

    datasets: pl.DataFrame
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.record["name"])


def make_plan(
    rows: Sequence[Mapping[str, Any]],
    profile: pl.DataFrame,
    demands: Demands,
    *,
    name: str,
    seed: int,
    pins: Mapping[str, str],
    placed: Mapping[str, str],
    kin: Sequence[Kin],
    solves: Sequence[Solve],
    seconds: float,
    candidates: pl.DataFrame | None = None,
    left_out: Sequence[str] = (),
) -> SplitPlan:
    """Return the plan of ``rows`` (one per dataset, as in `PLAN_SCHEMA`) with its record."""
    datasets = pl.DataFrame(rows, schema=PLAN_SCHEMA, orient="row").sort("dataset")
    known = set(datasets.get_column("dataset"))
    present = set(profile.get_column("dataset"))
    cells = split_cells(datasets, profile, {split: demands.shares[split] for split in demands.splits})
    fixed = {dataset: "pinned" for dataset in pins if dataset in known}
    fixed |= dict.fromkeys(placed, "placed by an earlier plan")
    relaxed = find_relaxations(cells, datasets, profile, demands=demands, fixed=fixed, candidates=candidates)
    pairs = leakage_groups(datasets, kin)
    leaks = pairs.filter("leak")
    broken = {one.rule for one in relaxed}
    record: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "datasets": datasets.height,
        "shares": {split: demands.shares[split] for split in demands.splits},
        "tolerance": demands.tolerance,
        "most_carried": demands.most_carried,
        "solver": f"HiGHS in scipy {scipy.__version__}",
        "order_of_relaxing": [f"{rule}: {text}" for rule, text in reversed(SOFT_RULES.items())],
        "never_relaxed": [f"{rule}: {text}" for rule, text in HARD_RULES.items()],
        "met": [rule for rule in HARD_RULES if rule != "patients" or leaks.is_empty()]
        + [rule for rule in SOFT_RULES if rule not in broken and rule != "spread"],
        "relaxed": [one.as_json() | {"text": str(one)} for one in relaxed],
        "deviation": _deviation(cells),
        "gap": _gap(solves, cells, demands),
        "spread": _spread(datasets, profile, demands),
        "solves": [{key: value for key, value in vars(solve).items() if key != "seconds"} for solve in solves],
        "cells": cells.to_dicts(),
        "leakage_groups": pairs.to_dicts(),
        "leaks": leaks.height,
        "pins": {"held": sorted(set(pins) & known), "without_a_dataset": sorted(set(pins) - known)},
        "earlier": {
            "placed": dict(sorted(placed.items())),
            "kept": sorted(set(placed) & present),
            "vanished": sorted(set(placed) - present),
            "new": sorted(known - set(placed)) if placed else [],
        },
        "left_out": sorted(left_out),
        "timing": {"seconds": round(seconds, 3), "solves": {solve.name: solve.seconds for solve in solves}},
    }
    return SplitPlan(datasets, record)


def refuse_silent_rewrite(old: Mapping[str, Any], new: SplitPlan) -> None:
    """Raise `PolicyChangedError` where a plan of the same name was made under another policy.

    ``old`` is the record of the plan so far. A plan keeps what it has placed, so under new rules it would
    be neither the old plan nor a new one.
    """
    if old.get("name") != new.name:
        return
    changed = [
        f"{key} {old[key]!r} → {new.record[key]!r}"
        for key in POLICY_KEYS
        if key in old and json.dumps(old[key], sort_keys=True) != json.dumps(new.record[key], sort_keys=True)
    ]
    if changed:
        raise PolicyChangedError(
            f"the plan {new.name!r} was made under another policy ({'; '.join(changed)}); give the new one another "
            "name, and it will stand beside the old one"
        )


def earlier_placements(record: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return dataset and split as the plan before this one had placed them, None where there was none."""
    placed = record["earlier"]["placed"]
    if not placed:
        return None
    return pl.DataFrame(
        {"dataset": list(placed), "split": list(placed.values())}, schema={"dataset": pl.String, "split": pl.String}
    )


def relaxations(plan: SplitPlan) -> list[Relaxation]:
    """Return what ``plan`` could not hold, from its record."""
    return [Relaxation.from_json(one) for one in plan.record["relaxed"]]


def _deviation(cells: pl.DataFrame) -> dict[str, Any]:
    if cells.is_empty():
        return {"worst": 0.0, "modality": None, "split": None, "by_class": {}}
    away = cells.with_columns(away=pl.col("deviation").abs())
    worst = away.sort("away", descending=True, maintain_order=True).row(0, named=True)
    by_class = away.group_by("modality", maintain_order=True).agg(pl.col("away").max())
    return {
        "worst": round(worst_deviation(cells), 9),
        "modality": worst["modality"],
        "split": worst["split"],
        "by_class": {modality: round(value, 9) for modality, value in by_class.iter_rows()},
    }


def _gap(solves: Sequence[Solve], cells: pl.DataFrame, demands: Demands) -> dict[str, Any]:
    """State the optimality gap of the shares: the excess over the tolerance against what is proven to be the least."""
    shares = next((solve for solve in solves if solve.name == "shares"), None)
    excess = max(worst_deviation(cells) - demands.tolerance, 0.0)
    if shares is None or shares.bound is None:
        return {"excess_deviation": round(excess, 9), "proven": False, "text": "nothing was optimised"}
    return {
        "excess_deviation": round(excess, 9),
        "objective": shares.objective,
        "bound": shares.bound,
        "gap": shares.gap,
        "proven": shares.proven,
        "text": (
            f"shares: the excess over the tolerance of {demands.tolerance:g} is {excess:.4f}; "
            f"objective {shares.objective:.4g}, proven bound {shares.bound:.4g}"
        ),
    }


def _spread(datasets: pl.DataFrame, profile: pl.DataFrame, demands: Demands) -> dict[str, dict[str, int]]:
    """Count the splits that each maker, format and licence of a class reaches, of those that it could reach."""
    counts = {}
    placed = profile.filter(pl.col("images") > 0).join(datasets.select("dataset", "split", "group"), on="dataset")
    placed = placed.filter(pl.col("split").is_in(demands.filled)).with_columns(unit=pl.coalesce("group", "dataset"))
    for attribute in ("manufacturers", "formats", "licences"):
        values = (
            placed.explode(attribute)
            .drop_nulls(attribute)
            .group_by("modality", attribute)
            .agg(reached=pl.col("split").n_unique(), units=pl.col("unit").n_unique())
            .with_columns(possible=pl.min_horizontal(pl.col("units"), pl.lit(len(demands.filled))))
        )
        counts[attribute] = {
            "reached": int(values.get_column("reached").sum()),
            "possible": int(values.get_column("possible").sum()),
        }
    return counts
