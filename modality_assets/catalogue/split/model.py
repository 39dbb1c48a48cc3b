"""The integer programs behind a plan: which unit goes to which split.

Three programs are solved one after the other, each held to what the one before achieved: coverage
(classes, datasets, body parts), shares, and spread.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from modality_assets.catalogue.split.groups import Grouping, Unit
from modality_assets.catalogue.split.program import Program, Solution, Terms, scaled, total
from modality_assets.catalogue.split.rules import BODY_PARTS_WANTED, DATASETS_WANTED, Demands
from modality_assets.modality import CLASSES

_MISSING_CLASS, _MISSING_DATASET, _MISSING_PART = 900.0, 30.0, 1.0
"""No more than 12 cells miss two datasets and two body parts each, so that no lower rule outweighs a higher one."""

_WORST = 10.0
"""Weight of the worst class's excess deviation beside the sum over the classes."""

_UNTAUGHT = 3.0
"""Weight of the share of a class's images that show a body part which train could show and does not."""

_CARRIED, _LONE, _SPREAD, _NEARNESS, _TIE = 3.0, 1.0, 1.0, 4.0, 1e-5

_ATTRIBUTES = ("manufacturers", "formats", "licences")


@dataclass(frozen=True)
class Contents:
    """What one unit brings of one class."""

    images: int
    groups: int
    """Datasets, those that share patients counted once."""
    largest: Mapping[str, int]
    """Images of each dataset of the unit."""
    body_parts: Mapping[str, float]
    """Images of each known body part."""
    attributes: Mapping[str, frozenset[str]]


@dataclass
class SplitModel:
    """The programs over ``units``; `place` answers with one split per unit."""

    units: Sequence[Unit]
    demands: Demands
    contents: Mapping[tuple[int, str], Contents]
    seed: int
    classes: tuple[str, ...] = field(init=False)
    totals: dict[str, int] = field(init=False)
    kept: list[dict[int, float]] = field(init=False, default_factory=list)
    """What the program built last is made of: none of it may get worse in those that follow."""

    def __post_init__(self) -> None:
        self.program = Program()
        self.classes = tuple(c for c in CLASSES if any(key[1] == c for key in self.contents))
        self.x = [
            {split: self.program.column(*self._allowed(unit, split), integer=True) for split in self.demands.splits}
            for unit in self.units
        ]
        for columns in self.x:
            self.program.row(dict.fromkeys(columns.values(), 1.0), 1.0, 1.0)
        self.totals = {
            c: sum(
                what.images
                for (unit, modality), what in self.contents.items()
                if modality == c and (self.units[unit].split is None or self.units[unit].split in self.demands.filled)
            )
            for c in self.classes
        }

    def coverage(self) -> Terms:
        """Add the rules of coverage; return the cost, lexicographic by its weights."""
        missed: dict[int, float] = {}
        lacked: dict[int, float] = {}
        unshown: dict[int, float] = {}
        for c in self.classes:
            holders = [unit for unit, modality in self.contents if modality == c]
            by_part = self._by_part(c)
            for split in self.demands.filled:
                here = {self.x[unit][split]: float(self.contents[unit, c].groups) for unit in holders}
                missing = self.program.column(0.0, 1.0)
                self.program.row(here | {missing: 1.0}, lower=1.0)
                few = self.program.column(0.0, float(DATASETS_WANTED))
                self.program.row(here | {few: 1.0}, lower=float(DATASETS_WANTED))
                shown = [self._presence(by_part[part], split) for part in sorted(by_part)]
                narrow = self.program.column(0.0, float(BODY_PARTS_WANTED))
                self.program.row(dict.fromkeys([*shown, narrow], 1.0), lower=float(BODY_PARTS_WANTED))
                missed[missing] = self.demands.urgency(split)
                lacked[few] = 1.0
                unshown[narrow] = 1.0
        self.kept = [missed, lacked, unshown]
        weights = (_MISSING_CLASS, _MISSING_DATASET, _MISSING_PART)
        return total(*(scaled(terms, weight) for terms, weight in zip(self.kept, weights, strict=True)))

    def shares(self) -> Terms:
        """Add the rules of shares and of body parts in train; return their cost.

        It is the excess over the tolerance, the worst class first, and what train is not shown.
        """
        worst = self.program.column()
        cost = {worst: _WORST}
        self.kept = [cost]
        self.distances: dict[str, int] = {}
        for c in self.classes:
            excess, distance = self.program.column(), self.program.column()
            for split in self.demands.filled:
                share = self._share(c, split)
                target = self.demands.shares[split] / sum(self.demands.shares[name] for name in self.demands.filled)
                self.program.row(total(share, {distance: -1.0}), upper=target)
                self.program.row(total(share, {distance: 1.0}), lower=target)
            self.program.row({excess: 1.0, distance: -1.0}, lower=-self.demands.tolerance)
            self.program.row({worst: 1.0, excess: -1.0}, lower=0.0)
            cost[excess] = 1.0
            self.distances[c] = distance
            cost |= scaled(self._untaught(c), _UNTAUGHT)
        return cost

    def spread(self) -> Terms:
        """Add the rules of carrying, seen body parts and spread; return their weighted cost."""
        cost = {column: _NEARNESS / max(len(self.classes), 1) for column in self.distances.values()}
        self.kept = []
        parts = [self._carried_cost(), self._lone_cost(), self._spread_cost(), self._tie_cost()]
        return total(cost, *parts)

    def hold(self, solution: Solution, slack: float) -> None:
        """Demand of the programs to come what ``solution`` achieved in each of ``kept``, give or take ``slack``."""
        assert solution.values is not None
        for terms in self.kept:
            achieved = sum(float(solution.values[column]) * value for column, value in terms.items())
            self.program.row(terms, upper=achieved + slack)

    def splits_of(self, solution: Solution) -> list[str]:
        """Return the split of each unit."""
        assert solution.values is not None
        names = self.demands.splits
        return [names[int(np.argmax([solution.values[columns[split]] for split in names]))] for columns in self.x]

    def _allowed(self, unit: Unit, split: str) -> tuple[float, float]:
        if unit.split is not None:
            return (1.0, 1.0) if unit.split == split else (0.0, 0.0)
        return (0.0, 1.0) if self.demands.shares[split] > 0 else (0.0, 0.0)

    def _share(self, c: str, split: str) -> Terms:
        whole = max(self.totals[c], 1)
        return {
            self.x[unit][split]: what.images / whole
            for (unit, modality), what in self.contents.items()
            if modality == c and what.images
        }

    def _presence(self, holders: Sequence[int], split: str) -> int:
        """Add a column that can be 1 only where one of ``holders`` is in ``split``."""
        column = self.program.column(0.0, 1.0)
        self.program.row(total({self.x[unit][split]: 1.0 for unit in holders}, {column: -1.0}), lower=0.0)
        return column

    def _carried_cost(self) -> Terms:
        cost: dict[int, float] = {}
        most = self.demands.most_carried
        for c in self.classes:
            for split in self.demands.filled:
                target = self.demands.shares[split]
                share, over = self._share(c, split), self.program.column()
                for (unit, modality), what in self.contents.items():
                    if modality != c:
                        continue
                    for images in what.largest.values():
                        part = images / max(self.totals[c], 1)
                        if part > most * target / 2:
                            terms = total({self.x[unit][split]: part}, scaled(share, -most), {over: -target})
                            self.program.row(terms, upper=0.0)
                cost[over] = _CARRIED / len(self.classes)
        return cost

    def _untaught(self, c: str) -> Terms:
        """Return the share of a class's images outside train whose body part others show, and train does not."""
        terms: dict[int, float] = {}
        if "train" not in self.demands.filled:
            return terms
        for part, holders in sorted(self._by_part(c).items()):
            if len(holders) < 2:
                continue
            shown = self._presence(holders, "train")
            for unit in holders:
                untaught = self.program.column(0.0, 1.0)
                self.program.row({untaught: 1.0, self.x[unit]["train"]: 1.0, shown: 1.0}, lower=1.0)
                terms[untaught] = self.contents[unit, c].body_parts[part] / max(self.totals[c], 1)
        return terms

    def _lone_cost(self) -> Terms:
        """Cost the share of a class's images outside train with a body part that no other dataset shows."""
        cost: dict[int, float] = {}
        if "train" not in self.demands.filled:
            return cost
        for c in self.classes:
            by_part = self._by_part(c)
            for part, holders in sorted(by_part.items()):
                if len(holders) == 1:
                    share = self.contents[holders[0], c].body_parts[part] / max(self.totals[c], 1)
                    column = self.x[holders[0]]["train"]
                    cost[column] = cost.get(column, 0.0) - _LONE * (share + 1 / (10 * len(by_part)))
        return cost

    def _by_part(self, c: str) -> dict[str, list[int]]:
        """Return the units that show each body part of a class."""
        by_part: dict[str, list[int]] = {}
        for (unit, modality), what in self.contents.items():
            if modality == c:
                for part in what.body_parts:
                    by_part.setdefault(part, []).append(unit)
        return by_part

    def _spread_cost(self) -> Terms:
        """Reward each maker, format and licence of a class for every split that it reaches."""
        cost: dict[int, float] = {}
        for attribute in _ATTRIBUTES:
            reached: list[int] = []
            for c in self.classes:
                by_value: dict[str, list[int]] = {}
                for (unit, modality), what in self.contents.items():
                    if modality == c:
                        for value in what.attributes[attribute]:
                            by_value.setdefault(value, []).append(unit)
                for value in sorted(by_value):
                    if len(by_value[value]) > 1:
                        reached += [self._presence(by_value[value], split) for split in self.demands.filled]
            for column in reached:
                cost[column] = -_SPREAD / len(reached)
        return cost

    def _tie_cost(self) -> Terms:
        """Break ties by the seed: a tiny cost for each unit and split, the same whatever the order of rows."""
        cost: dict[int, float] = {}
        for unit, columns in zip(self.units, self.x, strict=True):
            for split, column in columns.items():
                text = f"{self.seed}|{unit.datasets[0]}|{split}".encode()
                number = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
                cost[column] = _TIE * number / 2**32
        return cost


def unit_contents(grouping: Grouping, profile: pl.DataFrame) -> dict[tuple[int, str], Contents]:
    """Return what each unit brings of each class; ``profile`` conforms to `PROFILE_SCHEMA`."""
    unit_of = {dataset: index for index, unit in enumerate(grouping.units) for dataset in unit.datasets}
    rows: dict[tuple[int, str], list[dict]] = {}
    for row in profile.filter(pl.col("images") > 0).iter_rows(named=True):
        rows.setdefault((unit_of[row["dataset"]], row["modality"]), []).append(row)
    contents = {}
    for key in sorted(rows):
        parts: dict[str, float] = {}
        for row in rows[key]:
            weights = row["body_part_images"]
            scale = min(1.0, row["images"] / max(sum(weights), 1))
            for part, weight in zip(row["body_parts"], weights, strict=True):
                parts[part] = parts.get(part, 0.0) + weight * scale
        contents[key] = Contents(
            images=sum(row["images"] for row in rows[key]),
            groups=len({grouping.groups.get(row["dataset"]) or row["dataset"] for row in rows[key]}),
            largest={row["dataset"]: row["images"] for row in rows[key]},
            body_parts=parts,
            attributes={name: frozenset(value for row in rows[key] for value in row[name]) for name in _ATTRIBUTES},
        )
    return contents
