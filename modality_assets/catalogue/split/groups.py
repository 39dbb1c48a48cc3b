"""Which datasets move together, and which cannot move at all.

A *unit* is what the planner places: one dataset, or several that share patients. Datasets that an
earlier plan placed, or that a pin places, are fixed; what shares patients with them goes with them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from modality_assets.catalogue.split.errors import PinConflictError
from modality_assets.catalogue.split.kinship import Kin


@dataclass(frozen=True)
class Unit:
    """Datasets that are placed as one; ``split`` is None where the planner is free to choose."""

    datasets: tuple[str, ...]
    split: str | None
    reason: str
    together: str = ""
    """Why they are one unit, where they are more than one."""


@dataclass(frozen=True)
class Grouping:
    """All units, sorted by name; the group (first member's name) of each dataset that shares patients."""

    units: tuple[Unit, ...]
    groups: dict[str, str]


def form_units(
    datasets: Iterable[str],
    kin: Sequence[Kin],
    pins: Mapping[str, str],
    placed: Mapping[str, str],
    splits: Sequence[str],
    expected: Sequence[Kin] = (),
) -> Grouping:
    """Group ``datasets`` and those already ``placed`` into units.

    Raises `PinConflictError` where a pin names an unknown split, contradicts an earlier placement, or
    separates datasets that share patients, directly or through datasets that nobody has placed yet.
    Patients that an *earlier plan* separates stay separated, since nothing placed ever moves: that is
    a leak to be reported, and a newcomer between two splits goes where it shares most patients.

    ``expected`` are pairs that a dataset which is not here yet would join. They are kept together where
    nothing speaks against it, so that the day it comes there is a split for it; they bind nobody.
    """
    nodes = sorted(set(datasets) | set(placed))
    neighbours: dict[str, dict[str, Kin]] = {node: {} for node in nodes}
    for pair in kin:
        if pair.one in neighbours and pair.other in neighbours:
            neighbours[pair.one][pair.other] = pair
            neighbours[pair.other][pair.one] = pair
    pins = {dataset: split for dataset, split in sorted(pins.items()) if dataset in neighbours}
    _check_splits(pins, placed, splits)
    fixed = dict(placed) | pins
    fresh = [dataset for dataset in pins if dataset not in placed]
    for dataset in fresh:
        _check_neighbourhood(dataset, neighbours, fixed, pins, placed)

    units = [Unit((name,), split, _fixed_reason(name, pins, placed)) for name, split in fixed.items()]
    loose = [
        _free_unit(members, neighbours, fixed, splits)
        for members in _components([node for node in nodes if node not in fixed], neighbours)
    ]
    units += _foresee(loose, units, expected)
    groups = {
        member: members[0] for members in _components(nodes, neighbours) if len(members) > 1 for member in members
    }
    return Grouping(tuple(sorted(units, key=lambda unit: unit.datasets)), groups)


def _check_splits(pins: Mapping[str, str], placed: Mapping[str, str], splits: Sequence[str]) -> None:
    for what, mapping in (("the pin of", pins), ("the earlier plan's", placed)):
        for dataset, split in sorted(mapping.items()):
            if split not in splits:
                raise PinConflictError(
                    f"{what} {dataset!r} names the split {split!r}, which this plan does not have; "
                    f"its splits are {', '.join(splits)}"
                )
    for dataset, split in sorted(pins.items()):
        if placed.get(dataset, split) != split:
            raise PinConflictError(
                f"the pin {dataset} → {split} contradicts the earlier plan, which placed it in {placed[dataset]}; a "
                "dataset once placed never moves: drop the pin, or make a new plan under another name"
            )


def _check_neighbourhood(
    start: str,
    neighbours: Mapping[str, Mapping[str, Kin]],
    fixed: Mapping[str, str],
    pins: Mapping[str, str],
    placed: Mapping[str, str],
) -> None:
    """Walk from a freshly pinned dataset through free ones; every fixed one met must be in the same split."""
    paths, queue = {start: [start]}, [start]
    while queue:
        here = queue.pop(0)
        for other in sorted(neighbours[here]):
            if other in paths:
                continue
            paths[other] = [*paths[here], other]
            if other not in fixed:
                queue.append(other)
            elif fixed[other] != fixed[start]:
                holder = "placed by the earlier plan" if other in placed else "pinned"
                links = "; ".join(
                    f"{one} and {two}: {neighbours[one][two].evidence}" for one, two in pairwise(paths[other])
                )
                raise PinConflictError(
                    f"the pin {start} → {pins[start]} separates patients: {other} is {holder} in {fixed[other]}, and "
                    f"{' – '.join(paths[other])} share patients ({links}). Pin them to one split, or drop one of the "
                    "pins; to look at such a split without using it, audit it"
                )


def _free_unit(
    members: tuple[str, ...],
    neighbours: Mapping[str, Mapping[str, Kin]],
    fixed: Mapping[str, str],
    splits: Sequence[str],
) -> Unit:
    pulls: Counter[str] = Counter()
    links: dict[str, str] = {}
    for member in members:
        for other, pair in sorted(neighbours[member].items()):
            if other in fixed:
                pulls[fixed[other]] += max(pair.patients, 1)
                links.setdefault(fixed[other], f"shares patients with {other} ({pair.evidence})")
    together = f"{', '.join(members)} share patients and move as one" if len(members) > 1 else ""
    if not pulls:
        return Unit(members, None, "", together)
    split = min(pulls, key=lambda name: (-pulls[name], splits.index(name)))
    reason = f"{links[split]}, which is in {split}"
    if len(pulls) > 1:
        others = "; ".join(f"{links[name]} in {name}" for name in sorted(pulls) if name != split)
        reason += f"; a leak that no placing avoids, since it also {others}"
    return Unit(members, split, reason, together)


def _foresee(loose: Sequence[Unit], fixed: Sequence[Unit], expected: Sequence[Kin]) -> list[Unit]:
    """Join the units that a dataset yet to come would join, as long as they are not in different splits."""
    units = [*loose, *fixed]
    index = {dataset: number for number, unit in enumerate(units) for dataset in unit.datasets}
    root = list(range(len(units)))
    split_of: list[str | None] = [unit.split for unit in units]
    notes: dict[int, list[str]] = {}

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for pair in expected:
        one, other = sorted((find(index[pair.one]), find(index[pair.other])))
        held = {split for split in (split_of[one], split_of[other]) if split is not None}
        if one == other or len(held) > 1:
            continue
        root[other] = one
        split_of[one] = next(iter(held), None)
        notes[one] = [*notes.get(one, []), *notes.pop(other, []), f"{pair.one} and {pair.other}: {pair.evidence}"]

    joined: dict[int, list[Unit]] = {}
    for number, unit in enumerate(loose):
        joined.setdefault(find(number), []).append(unit)
    result = []
    for number, members in joined.items():
        names = tuple(sorted(dataset for unit in members for dataset in unit.datasets))
        why = "; ".join(dict.fromkeys([*(unit.together for unit in members if unit.together), *notes.get(number, [])]))
        reason = next((unit.reason for unit in members if unit.reason), "") or f"foreseen: {why}"
        result.append(Unit(names, split_of[number], reason, why))
    return result


def _fixed_reason(name: str, pins: Mapping[str, str], placed: Mapping[str, str]) -> str:
    if name in placed:
        pinned = ", and pinned" if name in pins else ""
        return f"placed by an earlier plan{pinned}; a placed dataset never moves"
    return f"pinned to {pins[name]}"


def _components(nodes: Sequence[str], neighbours: Mapping[str, Mapping[str, Kin]]) -> list[tuple[str, ...]]:
    """Return the connected components among ``nodes``, members and components sorted."""
    inside, seen, components = set(nodes), set[str](), []
    for node in sorted(nodes):
        if node in seen:
            continue
        component, queue = {node}, [node]
        while queue:
            for other in neighbours[queue.pop()]:
                if other in inside and other not in component:
                    component.add(other)
                    queue.append(other)
        seen |= component
        components.append(tuple(sorted(component)))
    return components
