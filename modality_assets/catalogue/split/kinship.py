"""Datasets that show the same patients under other names: what no PatientID tells.

The committed table has a source for each row. Names are compared without case and punctuation, so
'TCGA-GBM', 'tcga_gbm' and 'TCGA GBM' are one, and by the aliases of the published datasets.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

import polars as pl

from modality_assets.catalogue import published

KINSHIP_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "other": pl.String(),
    "relation": pl.String(),
    "source": pl.String(),
}
"""``dataset`` and ``other`` may give several names of one dataset, parted by '|'; ``relation`` says in a few words
what is shared; ``source`` is a publication, the archive's own page, or an index in which it can be counted."""


@dataclass(frozen=True, order=True)
class Kin:
    """Two datasets that share patients, ``one`` < ``other``, and how it is known."""

    one: str
    other: str
    patients: int
    """Common PatientIDs; 0 where the table knows it and the identifiers differ."""
    evidence: str


def plain_name(name: str) -> str:
    """Return ``name`` in lower case with letters and digits only: how names are matched."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def read_kinship() -> pl.DataFrame:
    """Return the committed table (`KINSHIP_SCHEMA`) of datasets that share patients."""
    text = (files("modality_assets.catalogue.split") / "kinship.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return pl.DataFrame(rows, schema=KINSHIP_SCHEMA)


def find_kin(
    datasets: Iterable[str], kinship: pl.DataFrame | None = None, shared: pl.DataFrame | None = None
) -> list[Kin]:
    """Return the pairs among ``datasets`` that share patients, sorted, one `Kin` a pair.

    ``kinship`` is the curated table (None: the committed one); ``shared`` is what `shared_patients`
    measured, of which only the ``telling`` pairs bind. A pair known from both names both.
    """
    known = sorted(set(datasets))
    counts: dict[tuple[str, str], int] = {}
    evidence: dict[tuple[str, str], list[str]] = {}
    if shared is not None:
        for row in shared.filter(pl.col("telling")).sort("dataset", "other").iter_rows(named=True):
            pair = (min(row["dataset"], row["other"]), max(row["dataset"], row["other"]))
            if pair[0] != pair[1] and set(pair) <= set(known):
                counts[pair] = max(counts.get(pair, 0), row["patients"])
                evidence[pair] = [f"{counts[pair]} PatientIDs in common, such as {row['example']}"]
    names = _Names(known, read_kinship() if kinship is None else kinship)
    for row in names.table:
        for one in names.present(row["dataset"]):
            for other in names.present(row["other"]):
                if one != other:
                    pair = (min(one, other), max(one, other))
                    evidence.setdefault(pair, []).append(f"{row['relation']} ({row['source']})")
    return [
        Kin(one, other, counts.get((one, other), 0), "; ".join(dict.fromkeys(texts)))
        for (one, other), texts in sorted(evidence.items())
    ]


def find_expected(datasets: Iterable[str], kinship: pl.DataFrame | None = None) -> list[Kin]:
    """Return the pairs among ``datasets`` that share patients with one and the same dataset which is not among them.

    Such a pair shares no patients itself. But a dataset that is made of both, as BraTS20 is of TCGA-GBM and
    TCGA-LGG, could be placed nowhere without a leak if the two were in different splits when it comes.
    """
    names = _Names(sorted(set(datasets)), read_kinship() if kinship is None else kinship)
    partners: dict[str, set[str]] = {}
    title: dict[str, str] = {}
    for row in names.table:
        for absent, present in ((row["dataset"], row["other"]), (row["other"], row["dataset"])):
            if not names.present(absent):
                key = names.canonical(absent)
                title.setdefault(key, absent.split("|")[0])
                partners.setdefault(key, set()).update(names.present(present))
    pairs: dict[tuple[str, str], Kin] = {}
    for key in sorted(partners):
        for one, other in pairwise(sorted(partners[key])):
            text = f"{title[key]}, which is not here yet, has patients of both"
            pairs.setdefault((one, other), Kin(one, other, 0, text))
    return [pairs[key] for key in sorted(pairs)]


class _Names:
    """Which of an archive's datasets a name in the table means, by any of the names that it goes by."""

    def __init__(self, datasets: list[str], kinship: pl.DataFrame) -> None:
        self.table = kinship.sort("dataset", "other", "relation", "source").to_dicts()
        self._same = {
            plain_name(alias): plain_name(name)
            for name, alias in published.aliases().select("name", "alias").iter_rows()
        }
        for row in self.table:
            for cell in (row["dataset"], row["other"]):
                first, *others = (plain_name(name) for name in cell.split("|"))
                self._same |= {name: self._same.get(first, first) for name in others}
        self._present: dict[str, list[str]] = {}
        for dataset in datasets:
            self._present.setdefault(self.canonical(dataset), []).append(dataset)

    def canonical(self, cell: str) -> str:
        plain = plain_name(cell.split("|", maxsplit=1)[0])
        return self._same.get(plain, plain)

    def present(self, cell: str) -> list[str]:
        return self._present.get(self.canonical(cell), [])
