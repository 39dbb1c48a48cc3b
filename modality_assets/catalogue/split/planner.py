"""Place whole datasets in train, validate and test."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from modality_assets.catalogue.split.errors import ProfileError
from modality_assets.catalogue.split.groups import Grouping, form_units
from modality_assets.catalogue.split.kinship import find_expected, find_kin
from modality_assets.catalogue.split.model import SplitModel, unit_contents
from modality_assets.catalogue.split.pins import placed_before
from modality_assets.catalogue.split.profile import conform_profile
from modality_assets.catalogue.split.program import Program, Solution, Terms
from modality_assets.catalogue.split.record import Solve, SplitPlan, make_plan
from modality_assets.catalogue.split.rules import MOST_CARRIED, SHARES, TOLERANCE, Demands
from modality_assets.catalogue.split.why import Reasons

TIME_LIMIT_S = 60.0
"""A last resort: plans end by their number of nodes, which does not depend on the machine."""


@dataclass(frozen=True)
class _Stage:
    name: str
    gap: float
    nodes: int
    slack: float
    """How much of what was achieved the later stages may give back, in the unit of each rule."""


_COVERAGE = _Stage("coverage", 0.0, 2000, 5e-4)
_SHARES = _Stage("shares", 0.002, 1000, 1e-4)
_SPREAD = _Stage("spread", 0.01, 20, 0.0)


def plan_split(
    profile: pl.DataFrame,
    *,
    shares: Mapping[str, float] = SHARES,
    pins: Mapping[str, str] | None = None,
    previous: pl.DataFrame | None = None,
    kinship: pl.DataFrame | None = None,
    shared: pl.DataFrame | None = None,
    candidates: pl.DataFrame | None = None,
    seed: int = 0,
    name: str = "optimised",
    tolerance: float = TOLERANCE,
    most_carried: float = MOST_CARRIED,
    time_limit_s: float = TIME_LIMIT_S,
) -> SplitPlan:
    """Return the split of the datasets in ``profile`` (`PROFILE_SCHEMA`) that the rules ask for.

    ``shares`` are the shares of images per class and split, which add up to 1; a split with the share 0
    gets only what is pinned to it. ``pins`` maps datasets to splits; pins of datasets that are not there
    are recorded. ``previous`` is the datasets table of the plan so far (dataset, split and, where
    present, group and reason): what it placed never moves, and what has vanished since stays recorded.
    ``kinship`` is the table of datasets that share patients (None: the committed one), ``shared`` what
    `shared_patients` measured. ``candidates`` (`SOURCES_SCHEMA`) are named where they would mend what
    does not hold. ``seed`` breaks ties.

    The same arguments give the same plan, in whatever order the rows come. Raises `ProfileError`,
    `SharesError` and `PinConflictError`, and nothing else.
    """
    started = time.perf_counter()
    demands = Demands(dict(shares), tolerance, most_carried)
    profile = conform_profile(profile)
    placed = placed_before(previous)
    names = sorted(set(profile.get_column("dataset").to_list()) | set(placed))
    if not names:
        raise ProfileError("there is no dataset to place: the cohort is empty; choose a larger one")
    pins = dict(pins or {})
    kin = find_kin(names, kinship, shared)
    # A split that is not to be filled, as in leaving one dataset out, draws nothing in by mere foresight.
    expected = find_expected(names, kinship) if demands.filled == demands.splits else []
    grouping = form_units(names, kin, pins, placed, demands.splits, expected)
    contents = unit_contents(grouping, profile)
    model = SplitModel(grouping.units, demands, contents, seed)
    splits, solves = _solve(model, started + time_limit_s)
    reasons = Reasons(grouping.units, splits, contents, model.totals, demands)
    rows = _rows(grouping, splits, reasons, pins, previous)
    return make_plan(
        rows, profile, demands,
        name=name, seed=seed, pins=pins, placed=placed, kin=kin, solves=solves, candidates=candidates,
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _solve(model: SplitModel, deadline: float) -> tuple[list[str], list[Solve]]:
    """Solve the programs in turn; return the split of each unit and how each solve ended."""
    program, solves = model.program, []
    best: Solution | None = None
    for stage, build in ((_COVERAGE, model.coverage), (_SHARES, model.shares), (_SPREAD, model.spread)):
        cost = build()
        solution, seconds = _minimise(program, cost, stage, deadline)
        solves.append(Solve.of(stage.name, solution, seconds))
        if solution.values is None:
            # Nothing better was found in the limits: what the stage before found still holds.
            continue
        best = solution
        model.hold(solution, stage.slack)
    if best is None:
        return _first_fit(model), solves
    return model.splits_of(best), solves


def _minimise(program: Program, cost: Terms, stage: _Stage, deadline: float) -> tuple[Solution, float]:
    started = time.perf_counter()
    solution = program.minimise(cost, gap=stage.gap, nodes=stage.nodes, seconds=deadline - started)
    return solution, time.perf_counter() - started


def _first_fit(model: SplitModel) -> list[str]:
    """Place what is free in the split with the largest share: the answer where time allowed no other."""
    largest = max(model.demands.splits, key=lambda split: model.demands.shares[split])
    return [unit.split or largest for unit in model.units]


def _rows(
    grouping: Grouping, splits: list[str], reasons: Reasons, pins: Mapping[str, str], previous: pl.DataFrame | None
) -> list[dict[str, Any]]:
    earlier: dict[str, str] = {}
    if previous is not None and "reason" in previous.columns:
        earlier = dict(previous.select("dataset", "reason").iter_rows())
    rows = []
    for index, (unit, split) in enumerate(zip(grouping.units, splits, strict=True)):
        reason = reasons.reason(index)
        rows += [
            {
                "dataset": dataset,
                "split": split,
                "pinned": dataset in pins,
                "group": grouping.groups.get(dataset),
                "reason": earlier.get(dataset) or reason,
            }
            for dataset in unit.datasets
        ]
    return rows
