"""A model's evidence over whole splits: fitted when it is trained, applied when it is evaluated."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from modality_assets.evaluation.image_facts import rows_of_images
from modality_assets.evaluation.predictions import KEYS, predictions_table
from modality_assets.prediction.evidence import Evidence, fit_evidence
from modality_assets.prediction.intensities import STATISTICS, has_native_intensities
from modality_assets.shards.reader import ShardReader

_FACTS = ("modality", "bits_stored", *STATISTICS)


def fit_evidence_of_shards(
    staged: Path,
    train: ShardReader,
    validate: ShardReader,
    validate_pixels: np.ndarray,
    *,
    images: Iterable[pl.DataFrame],
    seed: int = 0,
) -> dict[str, Any]:
    """Fit intensities and calibration of a model, and write them into its folder ``staged``.

    ``validate_pixels`` (N, 4) are the network's probabilities of ``validate`` in its order, ``images`` the tables
    of decoded images of both splits' datasets. Returns and raises as `fit_evidence`.
    """
    tables = list(images)
    columns = ("series_uid", *_FACTS)
    return fit_evidence(
        staged,
        train_images=rows_of_images(train.provenance, _of(train, tables), columns),
        validate_images=rows_of_images(validate.provenance, _of(validate, tables), columns),
        validate_labels=np.asarray(validate.labels, dtype=np.int64),
        validate_pixels=validate_pixels,
        seed=seed,
    )


def predictions_of_shards(
    reader: ShardReader, pixels: np.ndarray, evidence: Evidence, *, split: str, images: Iterable[pl.DataFrame]
) -> pl.DataFrame:
    """Return the predictions of one split under every kind of evidence that the model has, calibrated.

    ``pixels`` (N, 4) are the network's probabilities in the reader's order. Under 'pixels' and 'both' there is a
    row per image; under 'intensities' only for images that have native ones.
    """
    tables = _of(reader, images)
    provenance = np.asarray(reader.provenance[list(KEYS)])
    facts = rows_of_images(provenance, tables, _FACTS)
    found = []
    for kind in evidence.kinds:
        probabilities, _ = evidence.probabilities(kind, pixels, facts)
        kept = has_native_intensities(facts) if kind == "intensities" else np.ones(len(facts), dtype=bool)
        found.append(
            predictions_table(
                provenance[kept], reader.labels[kept], probabilities[kept], split=split, images=tables, evidence=kind
            )
        )
    return pl.concat(found)


def _of(reader: ShardReader, images: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """The tables of the reader's datasets alone; joining with all others would cost memory for nothing."""
    wanted = pl.col("dataset").is_in(list(reader.index.datasets))
    return [table.filter(wanted) for table in images]
