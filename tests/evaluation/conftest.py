"""Predictions of invented images, so that every figure can be known beforehand."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from modality_assets.evaluation import predictions as table
from modality_assets.modality import CLASSES


@pytest.fixture
def provenance() -> Callable[..., np.ndarray]:
    """Make a shard's provenance array of images as fixed-width bytes."""

    def make(dataset: list[str], patient: list[str], series: list[str]) -> np.ndarray:
        rows = [
            (d.encode(), p.encode(), b"1.2", s.encode(), f"{s}.{i}".encode(), 0, f"{s}/{i}.dcm".encode())
            for i, (d, p, s) in enumerate(zip(dataset, patient, series, strict=True))
        ]
        kinds = [(key, np.int32 if key == "frame" else "S40") for key in table.KEYS]
        return np.array(rows, dtype=kinds)

    return make


@pytest.fixture
def predictions() -> Callable[..., pl.DataFrame]:
    """Make a predictions table of given class indices; confidence is that of the predicted class."""

    def make(
        actual: list[int] | np.ndarray,
        predicted: list[int] | np.ndarray,
        *,
        dataset: list[str] | str = "D",
        patient: list[str] | None = None,
        series: list[str] | None = None,
        split: str = "test",
        evidence: str = "pixels",
        confidence: float | np.ndarray = 0.7,
        **facts: list[str | None] | str | None,
    ) -> pl.DataFrame:
        n = len(actual)
        sure = np.broadcast_to(np.asarray(confidence, dtype=np.float64), n)
        probabilities = np.repeat(((1 - sure) / 3)[:, None], 4, axis=1)
        probabilities[np.arange(n), np.asarray(predicted)] = sure
        named = {
            "dataset": dataset,
            "patient_id": patient or [f"p{i}" for i in range(n)],
            "series_uid": series or [f"s{i}" for i in range(n)],
            "source_file": [f"{i}.dcm" for i in range(n)],
            "frame": 0,
            "split": split,
            "actual": [CLASSES[i] for i in actual],
            "predicted": [CLASSES[i] for i in predicted],
            "evidence": evidence,
            "body_part": "chest",
            "format": "DICOM",
        } | facts
        columns = {
            name: pl.Series(value) if isinstance(value, list) else pl.lit(value) for name, value in named.items()
        }
        frame = pl.select(pl.int_range(n).alias("row")).with_columns(**columns)
        scores = [pl.Series(name, probabilities[:, i]) for i, name in enumerate(table.PROBABILITIES)]
        absent = [pl.lit(None).alias(name) for name in table.SCHEMA if name not in (*named, *table.PROBABILITIES)]
        return frame.with_columns(*scores, *absent).select(
            pl.col(name).cast(kind) for name, kind in table.SCHEMA.items()
        )

    return make
