"""What is true of a split, checked from the tables alone, whoever made it.

Each check states the truth that it asserts. The *hard* ones are never false of a plan of ours, save a
leak that an earlier plan has made; the others may be, where the data do not allow more.
"""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from modality_assets.catalogue.split.kinship import find_kin
from modality_assets.catalogue.split.rules import (
    BODY_PARTS_WANTED,
    DATASETS_WANTED,
    MOST_CARRIED,
    SHARES,
    TOLERANCE,
)
from modality_assets.catalogue.split.tables import leakage_groups, split_cells, unseen_body_parts

_SHOWN = 8


class AuditResult(NamedTuple):
    """One check: its name, whether it holds, and what was found."""

    name: str
    passed: bool
    detail: str

    @property
    def hard(self) -> bool:
        """Whether a split for which this is false must not be trained on."""
        return self.name in HARD_CHECKS


HARD_CHECKS = (
    "no_dataset_in_two_splits",
    "every_dataset_is_in_a_split",
    "no_patient_in_two_splits",
    "pins_are_honoured",
    "no_placed_dataset_moved",
)


def no_dataset_in_two_splits(datasets: pl.DataFrame) -> AuditResult:
    """Every dataset stands in one row, with one split."""
    counts = datasets.group_by("dataset").agg(rows=pl.len(), splits=pl.col("split").n_unique()).sort("dataset")
    twice = counts.filter((pl.col("rows") > 1) | (pl.col("splits") > 1)).get_column("dataset").to_list()
    return _result("no_dataset_in_two_splits", twice, f"{counts.height} datasets, each in one split")


def every_dataset_is_in_a_split(datasets: pl.DataFrame, profile: pl.DataFrame) -> AuditResult:
    """Every dataset of the cohort has a split."""
    placed = set(datasets.drop_nulls("split").get_column("dataset"))
    missing = sorted(set(profile.get_column("dataset")) - placed)
    return _result("every_dataset_is_in_a_split", missing, f"all {profile.get_column('dataset').n_unique()} are")


def no_patient_in_two_splits(
    datasets: pl.DataFrame, kinship: pl.DataFrame | None = None, shared: pl.DataFrame | None = None
) -> AuditResult:
    """No two datasets in different splits share patients, by PatientID or by the curated table.

    ``shared`` is `shared_patients`; ``kinship`` None stands for the committed table.
    """
    table = datasets.select("dataset", "split", group=pl.lit(None, pl.String))
    pairs = leakage_groups(table, find_kin(table.get_column("dataset"), kinship, shared))
    leaks = [
        f"{row['dataset']} ({row['split']}) and {row['other']} ({row['other_split']}): {row['evidence']}"
        for row in pairs.filter("leak").iter_rows(named=True)
    ]
    return _result("no_patient_in_two_splits", leaks, f"{pairs.height} pairs share patients, each in one split")


def pins_are_honoured(datasets: pl.DataFrame, pins: Mapping[str, str] | None) -> AuditResult:
    """Every pinned dataset that is in the plan is where its pin says."""
    split_of = dict(datasets.select("dataset", "split").iter_rows())
    held = {name: split for name, split in (pins or {}).items() if name in split_of}
    wrong = [
        f"{name}: {split_of[name]}, pinned to {split}"
        for name, split in sorted(held.items())
        if split_of[name] != split
    ]
    return _result("pins_are_honoured", wrong, f"{len(held)} pins hold")


def no_placed_dataset_moved(datasets: pl.DataFrame, previous: pl.DataFrame | None) -> AuditResult:
    """Every dataset of the previous plan is still in the plan, and in the same split."""
    if previous is None:
        return AuditResult("no_placed_dataset_moved", True, "there is no previous plan")
    split_of = dict(datasets.select("dataset", "split").iter_rows())
    before = dict(previous.select("dataset", "split").iter_rows())
    moved = [
        f"{name}: {split} → {split_of.get(name, 'gone')}"
        for name, split in sorted(before.items())
        if split_of.get(name) != split
    ]
    return _result("no_placed_dataset_moved", moved, f"{len(before)} datasets are where they were")


def every_class_in_every_split(cells: pl.DataFrame) -> AuditResult:
    """Every class of the cohort has images in every split; ``cells`` is `split_cells`."""
    return _cells("every_class_in_every_split", cells, pl.col("groups") < 1, "{} has none in {}", ())


def every_class_has_two_datasets_in_every_split(cells: pl.DataFrame) -> AuditResult:
    """Every class has at least two datasets in every split, those that share patients counted once."""
    return _cells(
        "every_class_has_two_datasets_in_every_split",
        cells,
        pl.col("groups") < DATASETS_WANTED,
        "{} in {} has {}",
        ("groups",),
    )


def every_class_shows_two_body_parts_in_every_split(cells: pl.DataFrame) -> AuditResult:
    """Every class shows at least two known body parts in every split."""
    return _cells(
        "every_class_shows_two_body_parts_in_every_split",
        cells, pl.col("body_parts") < BODY_PARTS_WANTED, "{} in {} shows {}", ("body_parts",),
    )  # fmt: skip


def body_parts_are_seen_in_train(datasets: pl.DataFrame, profile: pl.DataFrame) -> AuditResult:
    """What a class shows in another split, it shows in train: what bone radiographs in test alone were not."""
    unseen = [
        f"{row['modality']} of {row['body_part']} in {row['split']} ({row['images']} images)"
        for row in unseen_body_parts(profile, datasets).iter_rows(named=True)
    ]
    return _result("body_parts_are_seen_in_train", unseen, "train shows every body part that another split shows")


def shares_are_within_tolerance(cells: pl.DataFrame, tolerance: float = TOLERANCE) -> AuditResult:
    """Every class's share of images in every split is within ``tolerance`` of the share asked for."""
    return _cells(
        "shares_are_within_tolerance",
        cells, pl.col("deviation").abs() > tolerance + 1e-9, "{} in {} is off by {:+.3f}", ("deviation",),
    )  # fmt: skip


def no_dataset_carries_a_split(cells: pl.DataFrame, most_carried: float = MOST_CARRIED) -> AuditResult:
    """No dataset has more than ``most_carried`` of a class's images in a split."""
    return _cells(
        "no_dataset_carries_a_split",
        cells, pl.col("carried") > most_carried + 1e-9, "{} in {} is {:.2f} {}", ("carried", "largest"),
    )  # fmt: skip


def audit_plan(
    datasets: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    shares: Mapping[str, float] = SHARES,
    pins: Mapping[str, str] | None = None,
    previous: pl.DataFrame | None = None,
    kinship: pl.DataFrame | None = None,
    shared: pl.DataFrame | None = None,
    tolerance: float = TOLERANCE,
    most_carried: float = MOST_CARRIED,
) -> list[AuditResult]:
    """Return every check of a plan's table over a profile, the hard ones first."""
    cells = split_cells(datasets, profile, shares)
    return [
        no_dataset_in_two_splits(datasets),
        every_dataset_is_in_a_split(datasets, profile),
        no_patient_in_two_splits(datasets, kinship, shared),
        pins_are_honoured(datasets, pins),
        no_placed_dataset_moved(datasets, previous),
        every_class_in_every_split(cells),
        every_class_has_two_datasets_in_every_split(cells),
        every_class_shows_two_body_parts_in_every_split(cells),
        body_parts_are_seen_in_train(datasets, profile),
        shares_are_within_tolerance(cells, tolerance),
        no_dataset_carries_a_split(cells, most_carried),
    ]


def _cells(name: str, cells: pl.DataFrame, wrong: pl.Expr, text: str, columns: tuple[str, ...]) -> AuditResult:
    asked = cells.filter(pl.col("asked") > 0)
    found = [text.format(*row) for row in asked.filter(wrong).select("modality", "split", *columns).iter_rows()]
    return _result(name, found, f"holds for {asked.height} pairs of class and split")


def _result(name: str, wrong: list[str], right: str) -> AuditResult:
    if not wrong:
        return AuditResult(name, True, right)
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return AuditResult(name, False, f"{len(wrong)}: {'; '.join(wrong[:_SHOWN])}{more}")


AUDITS: dict[str, str] = {
    check.__name__: str(check.__doc__).splitlines()[0]
    for check in (
        no_dataset_in_two_splits,
        every_dataset_is_in_a_split,
        no_patient_in_two_splits,
        pins_are_honoured,
        no_placed_dataset_moved,
        every_class_in_every_split,
        every_class_has_two_datasets_in_every_split,
        every_class_shows_two_body_parts_in_every_split,
        body_parts_are_seen_in_train,
        shares_are_within_tolerance,
        no_dataset_carries_a_split,
    )
}
"""Each check's name and the truth that it asserts, in the order of `audit_plan`."""
