"""What a plan could not hold: which rule, where, by how much, why, and which datasets would mend it."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import polars as pl

from modality_assets.catalogue.split.kinship import plain_name
from modality_assets.catalogue.split.rules import BODY_PARTS_WANTED, DATASETS_WANTED, SOFT_RULES, Demands
from modality_assets.catalogue.split.tables import unseen_body_parts

SOURCES_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "modality": pl.String(),
    "body_parts": pl.String(),
    "images": pl.Int64(),
    "where": pl.String(),
}

_MOST_NAMED = 3


@dataclass(frozen=True)
class Relaxation:
    """One rule that one class could not be given in one split.

    ``wanted`` and ``got`` are in the rule's own unit: datasets, body parts, or shares of images.
    """

    rule: str
    modality: str
    split: str
    wanted: float
    got: float
    short_by: float
    because: str
    mend: tuple[str, ...]

    def __str__(self) -> str:
        mend = f" To mend it: {'; '.join(self.mend)}." if self.mend else ""
        return (
            f"{self.rule}: {self.modality} in {self.split} has {self.got:.4g}, wanted {self.wanted:.4g} "
            f"(by {self.short_by:.3g}): {self.because}.{mend}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self) | {"mend": list(self.mend)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Relaxation":
        """Return the relaxation that `as_json` made ``values`` of; further keys are ignored."""
        known = {key: values[key] for key in cls.__dataclass_fields__ if key != "mend"}
        return cls(**known, mend=tuple(values["mend"]))


def read_sources() -> pl.DataFrame:
    """Return the committed table of public datasets that mend a scarcity (`SOURCES_SCHEMA`)."""
    text = (files("modality_assets.catalogue.split") / "sources.csv").read_text(encoding="utf-8")
    rows = [
        row | {"images": int(row["images"]) if row["images"] else None} for row in csv.DictReader(text.splitlines())
    ]
    return pl.DataFrame(rows, schema=SOURCES_SCHEMA)


def find_relaxations(
    cells: pl.DataFrame,
    datasets: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    demands: Demands,
    fixed: Mapping[str, str],
    candidates: pl.DataFrame | None = None,
) -> list[Relaxation]:
    """Return every soft rule that does not hold, in the order of `SOFT_RULES`, then class and split.

    ``cells`` is `split_cells` of the plan; ``fixed`` maps the datasets that could not be moved to why;
    ``candidates`` (`SOURCES_SCHEMA`) are datasets that are not in the profile and might be added (None:
    the committed table).
    """
    mending = _Mending(datasets, profile, fixed, read_sources() if candidates is None else candidates)
    found: list[Relaxation] = []
    for cell in cells.filter(pl.col("split").is_in(demands.filled)).iter_rows(named=True):
        found += (
            _coverage(cell, len(demands.filled), mending)
            + _shares(cell, demands, mending)
            + _carried(cell, demands, mending)
        )
    if "train" in demands.filled:
        found += _unseen(profile, datasets, mending)
    order = list(SOFT_RULES)
    return sorted(found, key=lambda one: order.index(one.rule))


def _coverage(cell: dict[str, Any], splits: int, mending: "_Mending") -> list[Relaxation]:
    c, split = cell["modality"], cell["split"]
    found = []
    scarce = mending.scarcity(c, splits)
    if cell["groups"] < 1:
        found.append(Relaxation("class_in_every_split", c, split, 1, 0, 1, scarce, mending.named(c, split)))
    if cell["groups"] < DATASETS_WANTED:
        short = DATASETS_WANTED - cell["groups"]
        found.append(
            Relaxation(
                "two_datasets", c, split, DATASETS_WANTED, cell["groups"], short, scarce, mending.named(c, split)
            )
        )
    if cell["body_parts"] < BODY_PARTS_WANTED:
        short = BODY_PARTS_WANTED - cell["body_parts"]
        because = mending.narrowness(c)
        named = mending.named(c, split, other_part=True)
        found.append(
            Relaxation("two_body_parts", c, split, BODY_PARTS_WANTED, cell["body_parts"], short, because, named)
        )
    return found


def _shares(cell: dict[str, Any], demands: Demands, mending: "_Mending") -> list[Relaxation]:
    off = abs(cell["deviation"]) - demands.tolerance
    if off <= 1e-9:
        return []
    c, split = cell["modality"], cell["split"]
    because = mending.lumpiness(c, split, cell, demands)
    named = mending.named(c, split) if cell["deviation"] < 0 else ()
    return [Relaxation("shares", c, split, cell["asked"], round(cell["share"], 6), round(off, 6), because, named)]


def _carried(cell: dict[str, Any], demands: Demands, mending: "_Mending") -> list[Relaxation]:
    over = cell["carried"] - demands.most_carried
    if over <= 1e-9 or not cell["images"]:
        return []
    c, split = cell["modality"], cell["split"]
    rest = cell["images"] * cell["carried"]
    needed = round(rest / demands.most_carried - cell["images"])
    because = (
        f"{cell['largest']} has {rest:.0f} of its {cell['images']} images; {needed} more from others would balance it"
    )
    return [
        Relaxation(
            "carried", c, split, demands.most_carried, round(cell["carried"], 6), round(over, 6), because,
            mending.named(c, split),
        )
    ]  # fmt: skip


def _unseen(profile: pl.DataFrame, datasets: pl.DataFrame, mending: "_Mending") -> list[Relaxation]:
    found = []
    for row in unseen_body_parts(profile, datasets).iter_rows(named=True):
        c, part = row["modality"], row["body_part"]
        holders = mending.holders(c, part)
        alone = len(holders) == 1
        rule = "lone_body_part" if alone else "body_part_in_train"
        because = f"{part} is shown by {_few(holders)}{' alone' if alone else ''} and train has none of it"
        because += mending.immovable(holders)
        mend = tuple(f"in train, {text}" for text in mending.named(c, "train", part=part))
        images = float(row["images"])
        found.append(Relaxation(rule, c, row["split"], 0, images, images, because, mend))
    return found


class _Mending:
    """What the data hold of a class, and what could be had elsewhere."""

    def __init__(
        self, datasets: pl.DataFrame, profile: pl.DataFrame, fixed: Mapping[str, str], candidates: pl.DataFrame
    ) -> None:
        present = {plain_name(name) for name in profile.get_column("dataset")}
        self._candidates = [
            row for row in candidates.iter_rows(named=True) if plain_name(row["dataset"]) not in present
        ]
        self._fixed = fixed
        self._split_of = dict(datasets.select("dataset", "split").iter_rows())
        self._group_of = dict(datasets.select("dataset", "group").iter_rows())
        self._rows: dict[str, list[dict[str, Any]]] = {}
        for row in profile.filter(pl.col("images") > 0).iter_rows(named=True):
            if row["dataset"] in self._split_of:
                self._rows.setdefault(row["modality"], []).append(row)

    def scarcity(self, c: str, splits: int) -> str:
        rows = self._rows[c]
        groups = {self._group_of[row["dataset"]] or row["dataset"] for row in rows}
        names = [row["dataset"] for row in rows]
        text = f"{c} is in {_counted(names)}"
        if len(groups) < len(names):
            text += f", which make {len(groups)} that share no patients"
        if len(groups) < DATASETS_WANTED * splits:
            text += f"; {DATASETS_WANTED} in each of {splits} splits need {DATASETS_WANTED * splits}"
        return text + self.immovable(names)

    def narrowness(self, c: str) -> str:
        parts = sorted({part for row in self._rows[c] for part in row["body_parts"]})
        silent = [row["dataset"] for row in self._rows[c] if not row["body_parts"]]
        text = f"{c} shows {_few(parts)}" if parts else f"no body part of {c} is known"
        if silent:
            text += f"; {_counted(silent)} without a known one"
        return text + self.immovable([row["dataset"] for row in self._rows[c]])

    def lumpiness(self, c: str, split: str, cell: Mapping[str, Any], demands: Demands) -> str:
        rows = self._rows[c]
        whole = max(sum(row["images"] for row in rows), 1)
        held = sum(
            row["images"] for row in rows if row["dataset"] in self._fixed and self._split_of[row["dataset"]] == split
        )
        if held / whole > cell["asked"] + demands.tolerance:
            return f"datasets that cannot move hold {held / whole:.3f} of {c} in {split} already"
        largest = max(rows, key=lambda row: (row["images"], row["dataset"]))
        return (
            f"whole datasets do not divide nearer under the rules before it: {c} is in {len(rows)} datasets, and "
            f"{largest['dataset']} alone has {largest['images'] / whole:.3f} of its images"
            + self.immovable([row["dataset"] for row in rows])
        )

    def holders(self, c: str, part: str) -> list[str]:
        return [row["dataset"] for row in self._rows[c] if part in row["body_parts"]]

    def named(self, c: str, split: str, *, other_part: bool = False, part: str | None = None) -> tuple[str, ...]:
        """Name known datasets of class ``c`` that are not in the profile, the ones with new body parts first."""
        shown = {one for row in self._rows[c] if self._split_of[row["dataset"]] == split for one in row["body_parts"]}

        def parts_of(row: Mapping[str, Any]) -> set[str]:
            return {one for one in (row["body_parts"] or "").split("|") if one}

        fitting = [row for row in self._candidates if row["modality"] == c]
        if part is not None:
            fitting = [row for row in fitting if part in parts_of(row)]
        if other_part:
            fitting = [row for row in fitting if parts_of(row) - shown]
        fitting.sort(key=lambda row: (parts_of(row) <= shown, -(row["images"] or 0), row["dataset"]))
        texts = []
        for row in fitting[:_MOST_NAMED]:
            images = f", {row['images']} images" if row["images"] else ""
            parts = (row["body_parts"] or "body part unknown").replace("|", ", ")
            texts.append(f"{row['dataset']} ({parts}{images}; {row['where']})")
        return tuple(texts)

    def immovable(self, names: Sequence[str]) -> str:
        held = [name for name in names if name in self._fixed]
        if not held or len(held) < len(names) / 2:
            return ""
        reasons = sorted({self._fixed[name] for name in held})
        return f"; {len(held)} of them cannot move ({', '.join(reasons)})"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} dataset{'' if len(names) == 1 else 's'} ({_few(names)})"
