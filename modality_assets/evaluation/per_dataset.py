"""How each dataset fares, class by class: the table in which one bad dataset cannot hide behind a mean."""

import polars as pl

from modality_assets.evaluation.predictions import MAIN_EVIDENCE, with_identities
from modality_assets.evaluation.tallies import tallies

SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "modality": pl.String(),
    "split": pl.String(),
    "body_part": pl.String(),
    "format": pl.String(),
    "images": pl.Int64(),
    "series": pl.Int64(),
    "correct": pl.Int64(),
    "accuracy": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
}
"""The columns of per_dataset.parquet; body parts and formats of a dataset are joined by '; ', the commonest first."""

_GROUP = ("dataset", "actual", "split")


def per_dataset(predictions: pl.DataFrame, *, evidence: str = MAIN_EVIDENCE, seed: int = 0) -> pl.DataFrame:
    """Return one row of `SCHEMA` per dataset, class and split under one kind of evidence.

    The limits are of the 95 % interval over the dataset's patients; null where it has one patient only.
    """
    rows = predictions.filter(pl.col("evidence") == evidence)
    limits = [
        {**tally.group, "ci_low": low, "ci_high": high}
        for tally in tallies(rows, _GROUP)
        for low, high in [tally.intervals(seed)["accuracy"][0] or (None, None)]
    ]
    counted = (
        with_identities(rows)
        .group_by(_GROUP)
        .agg(
            _commonest("body_part"),
            _commonest("format"),
            images=pl.len(),
            series=pl.col("series").n_unique(),
            correct=(pl.col("actual") == pl.col("predicted")).sum(),
            accuracy=(pl.col("actual") == pl.col("predicted")).mean(),
        )
    )
    kinds = {name: pl.String() for name in _GROUP} | {"ci_low": pl.Float64(), "ci_high": pl.Float64()}
    joined = counted.join(pl.DataFrame(limits, schema=kinds), on=_GROUP, how="left", validate="1:1")
    named = joined.rename({"actual": "modality"})
    return named.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort("split", "dataset", "modality")


def _commonest(column: str) -> pl.Expr:
    """The distinct values of a group, the commonest first, as one text; null where there is none."""
    counts = pl.col(column).drop_nulls().value_counts(sort=True)
    names = counts.struct.field(column)
    return pl.when(names.len() > 0).then(names.str.join("; ")).alias(column)
