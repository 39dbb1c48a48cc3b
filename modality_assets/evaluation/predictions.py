"""One row per image and kind of evidence: what it is, what the model says, and where it comes from."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from modality_assets.evaluation.errors import ProbabilitiesError
from modality_assets.evaluation.image_facts import text_column, with_image_facts
from modality_assets.modality import CLASSES

KEYS = ("dataset", "patient_id", "study_uid", "series_uid", "instance_uid", "frame", "source_file")
"""The provenance of an image, from its shard or its decoded table."""

FACTS = ("body_part", "manufacturer", "format", "licence", "bits_stored")
"""What the reports are broken down by, from the tables of decoded images."""

PROBABILITIES = tuple(f"p_{name}" for name in CLASSES)

MAIN_EVIDENCE = "pixels"
"""The published task; the other kinds are 'intensities' and 'both'."""

SCHEMA: dict[str, pl.DataType] = {
    **{key: pl.Int64() if key == "frame" else pl.String() for key in KEYS},
    "split": pl.String(),
    "actual": pl.String(),
    "predicted": pl.String(),
    **{name: pl.Float32() for name in PROBABILITIES},
    "evidence": pl.String(),
    **{fact: pl.Int64() if fact == "bits_stored" else pl.String() for fact in FACTS},
}
"""The columns of predictions.parquet."""


def predictions_table(
    provenance: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    split: str,
    images: Iterable[pl.DataFrame],
    evidence: str = MAIN_EVIDENCE,
) -> pl.DataFrame:
    """Join probabilities with provenance and the facts of the images.

    ``provenance`` is a shard's structured array (N,) with at least `KEYS` as fields (bytes, UTF-8),
    ``labels`` (N,) the index of each image's class in `CLASSES`, ``probabilities`` (N, 4) in the order of
    `CLASSES`, each row summing to one. ``images`` are the tables of decoded images of the datasets at hand.

    Returns a frame of `SCHEMA` in the order of ``provenance``; empty identifiers become null.
    Raises `ProbabilitiesError` for rows that are no probabilities, `UnknownImagesError` for images that
    the tables do not hold or hold twice.
    """
    check_probabilities(probabilities, len(provenance))
    if len(labels) != len(provenance):
        raise ProbabilitiesError(f"{len(labels)} labels for {len(provenance)} images: give one label per image")
    table = pl.DataFrame({key: text_column(provenance[key]) for key in KEYS}).with_columns(
        split=pl.lit(split),
        actual=_names(labels),
        predicted=_names(probabilities.argmax(axis=1)),
        evidence=pl.lit(evidence),
    )
    table = table.with_columns(
        pl.Series(name, probabilities[:, i], dtype=pl.Float32) for i, name in enumerate(PROBABILITIES)
    )
    joined = with_image_facts(table, images, FACTS)
    empty_is_null = [pl.col(key).replace("", None) for key in KEYS if key not in ("dataset", "frame", "source_file")]
    return joined.with_columns(empty_is_null).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def predictions_of_images(
    images: pl.DataFrame, probabilities: np.ndarray, *, split: str, evidence: str
) -> pl.DataFrame:
    """Return the predictions table of rows of the tables of decoded images, as `predictions_table` does for a shard.

    ``probabilities`` (N, 4) belong to ``images`` row by row. Raises `ProbabilitiesError`.
    """
    check_probabilities(probabilities, len(images))
    made = images.with_columns(
        *(pl.Series(name, probabilities[:, i], dtype=pl.Float32) for i, name in enumerate(PROBABILITIES)),
        split=pl.lit(split),
        actual=pl.col("modality"),
        predicted=_names(probabilities.argmax(axis=1)),
        evidence=pl.lit(evidence),
    )
    return made.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def check_probabilities(probabilities: np.ndarray, images: int) -> None:
    """Raise `ProbabilitiesError` unless ``probabilities`` is (images, 4), finite, in [0, 1], rows summing to one."""
    if probabilities.shape != (images, len(CLASSES)):
        raise ProbabilitiesError(
            f"probabilities of shape {probabilities.shape} for {images} images: expected ({images}, {len(CLASSES)})"
        )
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities).all(axis=1)).sum())
        raise ProbabilitiesError(f"{bad} of {images} images have probabilities that are not finite: train again")
    if images and (probabilities.min() < 0 or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-3):
        raise ProbabilitiesError("probabilities must be in [0, 1] and sum to one: give softmax outputs, not logits")


def class_codes(column: pl.Series) -> np.ndarray:
    """Return the (N,) int64 index in `CLASSES` of each class name of ``column``."""
    codes = {name: code for code, name in enumerate(CLASSES)}
    return column.replace_strict(codes, return_dtype=pl.Int64).to_numpy()


def probability_array(predictions: pl.DataFrame) -> np.ndarray:
    """Return the (N, 4) float64 probabilities of a predictions table, in the order of `CLASSES`."""
    return predictions.select(pl.col(PROBABILITIES).cast(pl.Float64)).to_numpy()


def with_identities(predictions: pl.DataFrame) -> pl.DataFrame:
    """Give every row a ``series`` and a ``patient``: its own where it has one, else the next smaller thing known."""
    series = pl.coalesce("series_uid", "source_file")
    return predictions.with_columns(series=series, patient=pl.coalesce("patient_id", series))


def by_series(predictions: pl.DataFrame) -> pl.DataFrame:
    """Average the images of each series: one row per series, split and evidence, with an added column ``images``.

    The probabilities are the mean over the series' images; everything else is that of its first image.
    """
    rows = with_identities(predictions)
    made = (*PROBABILITIES, "dataset", "split", "evidence", "predicted")
    kept = [name for name in predictions.columns if name not in made]
    series = rows.group_by("dataset", "series", "split", "evidence", maintain_order=True).agg(
        pl.col(kept).first(), pl.col(PROBABILITIES).mean(), images=pl.len().cast(pl.Int64)
    )
    predicted = _names(probability_array(series).argmax(axis=1))
    return series.with_columns(predicted=predicted).select(*predictions.columns, "images")


def _names(codes: np.ndarray) -> pl.Series:
    return pl.Series(CLASSES, dtype=pl.String).gather(np.ascontiguousarray(codes, dtype=np.uint32))
