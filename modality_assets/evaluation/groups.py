"""Every figure of every group as one table, for DuckDB and pandas: groups.parquet."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from modality_assets.evaluation.metrics import BREAKDOWNS
from modality_assets.evaluation.tallies import BY_CLASS, SINGLE
from modality_assets.modality import CLASSES

_COUNTS = ("images", "patients", "datasets", "correct")
_RATES = (*SINGLE, *(f"{rate}_{name}" for name in CLASSES for rate in BY_CLASS))
_BIN = pl.Struct(
    {"low": pl.Float64, "high": pl.Float64, "images": pl.Int64, "confidence": pl.Float64, "accuracy": pl.Float64}
)

SCHEMA: dict[str, pl.DataType] = {
    "evidence": pl.String(),
    "split": pl.String(),
    "level": pl.String(),
    "by": pl.String(),
    "group": pl.String(),
    "modality": pl.String(),
    **{name: pl.Int64() for name in _COUNTS},
    **{f"{rate}{end}": pl.Float64() for rate in _RATES for end in ("", "_low", "_high")},
    "confusion": pl.List(pl.List(pl.Int64)),
    "reliability": pl.List(_BIN),
}
"""``level`` is image or series (what ``images`` then counts); ``by`` is all, dataset_class, body_part, manufacturer
or format, and ``group`` its value; ``modality`` is the class of a row by dataset_class. Rates of one class end in its
name, limits of 95 % intervals in _low and _high. ``confusion`` has rows actual, columns predicted."""


def group_table(metrics: dict[str, Any]) -> pl.DataFrame:
    """Return `SCHEMA` from `metrics.metrics`: a row per kind of evidence, split, level, breakdown and group."""
    rows = [
        row
        for evidence, splits in metrics["evidence"].items()
        for split, found in splits.items()
        for level, of_level in (("image", found), ("series", found["series"]))
        for row in _rows({"evidence": evidence, "split": split, "level": level}, of_level)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _rows(place: dict[str, str], found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**place, "by": "all", "group": None, "modality": None, **_flat(found)}
    for by, (column, *_) in BREAKDOWNS.items():
        for group in found["breakdown"][by]:
            yield {**place, "by": by, "group": group[column], "modality": group.get("actual"), **_flat(group)}


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    rates = {rate: (found[rate], found[f"{rate}_ci"]) for rate in SINGLE}
    for name in CLASSES:
        of_class = found["per_class"][name]
        rates |= {f"{rate}_{name}": (of_class[rate], of_class[f"{rate}_ci"]) for rate in BY_CLASS}
    flat = {name: found[name] for name in (*_COUNTS, "confusion", "reliability")}
    for rate, (value, limits) in rates.items():
        low, high = limits or (None, None)
        flat |= {rate: value, f"{rate}_low": low, f"{rate}_high": high}
    return flat
