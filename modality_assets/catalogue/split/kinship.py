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
"""``relation`` says in a few words what is shared; ``source`` is a publication or the archive's own page."""


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
    same = _aliases()
    by_name: dict[str, list[str]] = {}
    for dataset in known:
        by_name.setdefault(_canonical(dataset, same), []).append(dataset)
    counts: dict[tuple[str, str], int] = {}
    evidence: dict[tuple[str, str], list[str]] = {}
    if shared is not None:
        for row in shared.filter(pl.col("telling")).iter_rows(named=True):
            pair = (min(row["dataset"], row["other"]), max(row["dataset"], row["other"]))
            if pair[0] != pair[1] and set(pair) <= set(known):
                counts[pair] = max(counts.get(pair, 0), row["patients"])
                evidence[pair] = [f"{counts[pair]} PatientIDs in common, such as {row['example']}"]
    table = read_kinship() if kinship is None else kinship
    for row in table.iter_rows(named=True):
        for one in by_name.get(_canonical(row["dataset"], same), []):
            for other in by_name.get(_canonical(row["other"], same), []):
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
    same = _aliases()
    by_name: dict[str, list[str]] = {}
    for dataset in sorted(set(datasets)):
        by_name.setdefault(_canonical(dataset, same), []).append(dataset)
    partners: dict[str, tuple[str, set[str]]] = {}
    table = read_kinship() if kinship is None else kinship
    for row in table.iter_rows(named=True):
        for absent, present in ((row["dataset"], row["other"]), (row["other"], row["dataset"])):
            name = _canonical(absent, same)
            if name not in by_name:
                partners.setdefault(name, (absent, set()))[1].update(by_name.get(_canonical(present, same), []))
    pairs: dict[tuple[str, str], Kin] = {}
    for _, (absent, present_ones) in sorted(partners.items()):
        members = sorted(present_ones)
        for one, other in pairwise(members):
            pairs.setdefault((one, other), Kin(one, other, 0, f"{absent}, which is not here yet, has patients of both"))
    return [pairs[key] for key in sorted(pairs)]


def _aliases() -> dict[str, str]:
    """Return alias to name, both plain, from the names by which archives know the published datasets."""
    return {
        plain_name(alias): plain_name(name) for name, alias in published.aliases().select("name", "alias").iter_rows()
    }


def _canonical(name: str, same: dict[str, str]) -> str:
    plain = plain_name(name)
    return same.get(plain, plain)
