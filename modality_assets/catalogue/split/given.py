"""A split that somebody else made, such as the published one, described and judged like our own."""

import time
from collections.abc import Mapping

import polars as pl

from modality_assets.catalogue.split.errors import PinConflictError, ProfileError
from modality_assets.catalogue.split.groups import form_units
from modality_assets.catalogue.split.kinship import find_kin
from modality_assets.catalogue.split.profile import conform_profile
from modality_assets.catalogue.split.record import SplitPlan, make_plan
from modality_assets.catalogue.split.rules import MOST_CARRIED, SHARES, TOLERANCE, Demands
from modality_assets.catalogue.split.tables import leakage_groups


def given_plan(
    profile: pl.DataFrame,
    assignment: Mapping[str, str],
    *,
    name: str = "published",
    shares: Mapping[str, float] = SHARES,
    kinship: pl.DataFrame | None = None,
    shared: pl.DataFrame | None = None,
    candidates: pl.DataFrame | None = None,
    tolerance: float = TOLERANCE,
    most_carried: float = MOST_CARRIED,
    reasons: Mapping[str, str] | None = None,
) -> SplitPlan:
    """Return the plan that ``assignment`` (dataset to split) makes of ``profile``, as it is.

    Nothing is optimised and nothing refused: patients in two splits are reported as leaks in the record,
    what does not hold as relaxed. Datasets that are not assigned are in no split, and are listed under
    ``left_out``; so are, under ``pins``, those that are assigned and not there. The other arguments are
    those of `plan_split`; ``reasons`` maps datasets to why they are where they are.

    Raises `ProfileError` where nothing of the profile is assigned, `PinConflictError` for an unknown split.
    """
    started = time.perf_counter()
    demands = Demands(dict(shares), tolerance, most_carried)
    profile = conform_profile(profile)
    present = set(profile.get_column("dataset"))
    placed = {dataset: split for dataset, split in sorted(assignment.items()) if dataset in present}
    if not placed:
        raise ProfileError(f"none of the {len(assignment)} datasets of the split {name!r} is in the cohort")
    unknown = sorted({split for split in placed.values() if split not in demands.splits})
    if unknown:
        raise PinConflictError(
            f"the split {name!r} names {', '.join(unknown)}; the splits are {', '.join(demands.splits)}"
        )
    kin = find_kin(placed, kinship, shared)
    groups = form_units(placed, kin, {}, placed, demands.splits).groups
    rows = [
        {
            "dataset": dataset,
            "split": split,
            "pinned": True,
            "group": groups.get(dataset),
            "reason": (reasons or {}).get(dataset) or f"given by the split {name}",
        }
        for dataset, split in placed.items()
    ]
    return make_plan(
        rows, profile.filter(pl.col("dataset").is_in(list(placed))), demands,
        name=name, seed=0, pins=assignment, placed={}, kin=kin, solves=[], candidates=candidates,
        left_out=sorted(present - set(placed)), seconds=time.perf_counter() - started,
    )  # fmt: skip


def leaks_of_split(assignment: Mapping[str, str], kinship: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the pairs of a split that share patients in different splits, by name alone; columns as `leakage_groups`.

    For a split as it was published, with datasets that no archive has today.
    """
    kin = find_kin(assignment, kinship)
    groups = form_units(assignment, kin, {}, assignment, sorted(set(assignment.values()))).groups
    table = pl.DataFrame(
        [{"dataset": name, "split": split, "group": groups.get(name)} for name, split in sorted(assignment.items())],
        schema={"dataset": pl.String, "split": pl.String, "group": pl.String},
    )
    return leakage_groups(table, kin).filter("leak")
