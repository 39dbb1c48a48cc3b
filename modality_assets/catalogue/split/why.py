"""Why a dataset is where it is: what would be worse if it stood elsewhere."""

from collections import Counter
from collections.abc import Mapping, Sequence

from modality_assets.catalogue.split.groups import Unit
from modality_assets.catalogue.split.model import Contents
from modality_assets.catalogue.split.rules import BODY_PARTS_WANTED, DATASETS_WANTED, Demands


class Reasons:
    """The tallies of a finished plan, and the reason for each unit that follows from them."""

    def __init__(
        self,
        units: Sequence[Unit],
        splits: Sequence[str],
        contents: Mapping[tuple[int, str], Contents],
        totals: Mapping[str, int],
        demands: Demands,
    ) -> None:
        self._units, self._splits, self._contents = units, splits, contents
        self._totals, self._demands = totals, demands
        self._groups: Counter[tuple[str, str]] = Counter()
        self._parts: Counter[tuple[str, str, str]] = Counter()
        self._values: Counter[tuple[str, str, str, str]] = Counter()
        self._images: Counter[tuple[str, str]] = Counter()
        self._before: Counter[tuple[str, str]] = Counter()
        for (unit, c), what in contents.items():
            cell = (c, splits[unit])
            self._groups[cell] += what.groups
            self._images[cell] += what.images
            if units[unit].split is not None:
                self._before[cell] += what.images
            for part in what.body_parts:
                self._parts[c, splits[unit], part] += 1
            for attribute, values in what.attributes.items():
                for value in values:
                    self._values[c, splits[unit], attribute, value] += 1

    def reason(self, index: int) -> str:
        """Return why unit ``index`` is in its split, in one sentence without a full stop."""
        unit, split = self._units[index], self._splits[index]
        if unit.split is not None:
            return unit.reason
        brings = {c: what for (other, c), what in self._contents.items() if other == index}
        if not brings:
            return "has no images of any class: where it is changes nothing"
        return self._needed(split, brings) + (f"; {unit.together}" if unit.together else "")

    def _needed(self, split: str, brings: Mapping[str, Contents]) -> str:
        for c, what in brings.items():
            groups = self._groups[c, split]
            if groups == what.groups:
                return f"the only dataset of {c} in {split}"
            if groups <= DATASETS_WANTED:
                return f"one of the {groups} datasets of {c} that {split} has"
        for c, what in brings.items():
            shown = {part for (cc, ss, part), count in self._parts.items() if (cc, ss) == (c, split) and count}
            lost = [part for part in what.body_parts if self._parts[c, split, part] == 1]
            if lost and len(shown) - len(lost) < BODY_PARTS_WANTED:
                return f"without it {c} in {split} would show {len(shown) - len(lost)} body parts, not {len(shown)}"
        return (
            self._mending_reason(split, brings)
            or self._share_reason(split, brings)
            or self._spread_reason(split, brings)
            or "fits the shares here, and would elsewhere: ties are broken by the seed"
        )

    def _mending_reason(self, split: str, brings: Mapping[str, Contents]) -> str | None:
        """Name the class that the split lacked most before new datasets were placed beside the earlier ones."""
        lacking = []
        for c in brings:
            whole = sum(count for (name, _), count in self._before.items() if name == c)
            if whole:
                share = self._before[c, split] / whole
                lacking.append((self._demands.shares[split] - share, c, share))
        if not lacking or max(lacking)[0] <= self._demands.tolerance:
            return None
        _, c, share = max(lacking)
        return f"mends {c} in {split}, which had {share:.3f} of it where {self._demands.shares[split]:.3g} is asked for"

    def _spread_reason(self, split: str, brings: Mapping[str, Contents]) -> str | None:
        """Name what no other dataset of the class brings to the split."""
        for c, what in brings.items():
            only = [part for part in sorted(what.body_parts) if self._parts[c, split, part] == 1]
            if only:
                return f"the only one to show {c} of {', '.join(only[:3])} in {split}"
        for c, what in brings.items():
            for attribute, values in what.attributes.items():
                only = [value for value in sorted(values) if self._values[c, split, attribute, value] == 1]
                if only:
                    return f"the only dataset of {c} in {split} with the {attribute[:-1]} {', '.join(only[:3])}"
        return None

    def _share_reason(self, split: str, brings: Mapping[str, Contents]) -> str | None:
        """Name the class whose shares would suffer most from moving the unit to the best of the other splits."""
        moves = []
        for other in self._demands.filled:
            if other == split:
                continue
            worst = max(
                (self._off(c, other, what.images), self._off(c, split, -what.images), c) for c, what in brings.items()
            )
            moves.append((max(worst[:2]), worst[2], other))
        if not moves:
            return None
        off, c, other = min(moves)
        now = max(self._off(name, where, 0) for name in brings for where in self._demands.filled)
        if off <= max(now, self._demands.tolerance) + 1e-9:
            return None
        return f"in {other} it would take a share of {c} {off:.3f} from the share asked for (now {now:.3f})"

    def _off(self, c: str, split: str, change: int) -> float:
        share = (self._images[c, split] + change) / max(self._totals[c], 1)
        return abs(share - self._demands.shares[split])
