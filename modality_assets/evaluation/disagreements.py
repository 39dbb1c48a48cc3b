"""Series where the pixels say one class and the header another: the list a curator of an archive wants."""

import polars as pl

from modality_assets.evaluation.predictions import MAIN_EVIDENCE, PROBABILITIES, with_identities
from modality_assets.modality import CLASSES

SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "patient_id": pl.String(),
    "study_uid": pl.String(),
    "series_uid": pl.String(),
    "split": pl.String(),
    "header": pl.String(),
    "pixels": pl.String(),
    "confidence": pl.Float64(),
    **{name: pl.Float64() for name in PROBABILITIES},
    "images": pl.Int64(),
    "models": pl.Int64(),
    "agreeing_models": pl.Int64(),
    "series_description": pl.String(),
    "modality_tag": pl.String(),
    "sop_class_uid": pl.String(),
}
"""The columns of disagreements.parquet: ``header`` is the class on record, ``pixels`` the models' verdict."""

_CATALOGUE = ("series_description", "modality_tag", "sop_class_uid")


def disagreements(predictions: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    """Return the series whose pixels and header differ, the most confident first.

    ``predictions`` holds predictions tables of any number of models, told apart by a column ``model`` (without
    it, they count as one); only the main evidence is looked at, as intensities depend on header values.
    ``series`` is the catalogue's series table (dataset, series_uid and, where known, series_description,
    modality_tag, sop_class_uid). The verdict is the class of the highest probability averaged over a series'
    images and models; ``confidence`` is that probability, ``agreeing_models`` how many of them share the verdict.
    """
    if "model" not in predictions.columns:
        predictions = predictions.with_columns(model=pl.lit("model"))
    rows = with_identities(predictions.filter(pl.col("evidence") == MAIN_EVIDENCE))
    by_model = rows.group_by("dataset", "series", "model").agg(
        pl.col("patient_id", "study_uid", "split").first(),
        pl.col("actual").first().alias("header"),
        pl.col(PROBABILITIES).mean(),
        images=pl.len(),
    )
    by_model = by_model.with_columns(_verdict().alias("verdict"))
    merged = by_model.group_by("dataset", "series").agg(
        pl.col("patient_id", "study_uid", "split", "header").first(),
        pl.col(PROBABILITIES).mean(),
        pl.col("images").max(),
        models=pl.len(),
    )
    differing = merged.with_columns(
        _verdict().alias("pixels"), pl.max_horizontal(PROBABILITIES).alias("confidence")
    ).filter(pl.col("pixels") != pl.col("header"))
    agreeing = (
        by_model.join(differing.select("dataset", "series", "pixels"), on=["dataset", "series"])
        .group_by("dataset", "series")
        .agg(agreeing_models=(pl.col("verdict") == pl.col("pixels")).sum())
    )
    differing = differing.join(agreeing, on=["dataset", "series"])
    known = series.select("dataset", "series_uid", *(name for name in _CATALOGUE if name in series.columns))
    joined = differing.rename({"series": "series_uid"}).join(
        known.unique(["dataset", "series_uid"]), on=["dataset", "series_uid"], how="left"
    )
    missing = [pl.lit(None).alias(name) for name in _CATALOGUE if name not in joined.columns]
    table = joined.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    return table.sort("confidence", "dataset", "series_uid", descending=[True, False, False])


def _verdict() -> pl.Expr:
    """The class of the highest probability of a row."""
    return pl.concat_list(PROBABILITIES).list.arg_max().replace_strict(dict(enumerate(CLASSES)), return_dtype=pl.String)
