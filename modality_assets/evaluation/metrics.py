"""The figures of a report: by kind of evidence and split, for images and for series, each with its interval."""

from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from modality_assets.evaluation import rates
from modality_assets.evaluation.errors import NoPredictionsError
from modality_assets.evaluation.predictions import by_series, class_codes, probability_array
from modality_assets.evaluation.tallies import Tally, bins, confusion, tallies
from modality_assets.modality import CLASSES, SPLITS

BREAKDOWNS = {
    "dataset_class": ("dataset", "actual"),
    "body_part": ("body_part",),
    "manufacturer": ("manufacturer",),
    "format": ("format",),
}
"""Name in metrics.json to the columns whose equal values make a group."""


def metrics(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return every figure of a predictions table, ready for JSON (no NaN: what cannot be known is None).

    ``{"classes", "axes", "interval", "evidence": {kind: {split: figures}}}``; the ``figures`` of a split are those of
    `figures` for its images, plus ``series`` (the same for its series), ``breakdown`` and ``datasets``.
    Raises `NoPredictionsError` for an empty table.
    """
    if predictions.is_empty():
        raise NoPredictionsError("there are no predictions to evaluate: materialise the shards and the model first")
    kinds = predictions["evidence"].unique().sort().to_list()
    return {
        "classes": list(CLASSES),
        "axes": {"confusion": ["actual", "predicted"]},
        "interval": "95 %, bootstrap over datasets and within them patients; null for a single patient",
        "evidence": {
            kind: {
                split: split_metrics(rows, seed=seed)
                for split in SPLITS
                if len(rows := predictions.filter((pl.col("evidence") == kind) & (pl.col("split") == split)))
            }
            for kind in kinds
        },
    }


def split_metrics(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return the figures of one split under one kind of evidence: images, series, groups and datasets."""
    series = by_series(predictions)
    return {
        **figures(predictions, seed=seed),
        "series": {**figures(series, seed=seed), "count": len(series)},
        "breakdown": {name: breakdown(predictions, columns, seed=seed) for name, columns in BREAKDOWNS.items()},
        **dataset_spread(predictions),
    }


def figures(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return the figures of the rows at hand, whatever a row is (an image or a series).

    Scalars ``images`` (rows), ``patients``, ``datasets``, ``accuracy``, ``balanced_accuracy`` (mean recall of
    the classes present), ``ece``, ``auc`` (mean of the classes), each rate also as ``<rate>_ci`` [low, high];
    ``per_class`` {class: images, precision, recall, f1 with ``_ci``, auc}; ``confusion`` 4 × 4 (rows actual,
    columns predicted); ``reliability`` [{low, high, images, confidence, accuracy}]. AUC carries no interval.
    """
    (tally,) = tallies(predictions)
    values, limits = tally.values(), tally.intervals(seed)
    matrix = confusion(tally.sums).astype(int)
    areas = one_versus_rest_auc(predictions)
    known = [area for area in areas if area is not None]
    per_class = {
        name: {
            "images": int(matrix[i].sum()),
            **{rate: values[rate][i] for rate in ("precision", "recall", "f1")},
            **{f"{rate}_ci": limits[rate][i] for rate in ("precision", "recall", "f1")},
            "auc": areas[i],
        }
        for i, name in enumerate(CLASSES)
    }
    return {
        "images": len(predictions),
        "patients": tally.patients,
        "datasets": tally.datasets,
        **{rate: values[rate][0] for rate in ("accuracy", "balanced_accuracy", "ece")},
        **{f"{rate}_ci": limits[rate][0] for rate in ("accuracy", "balanced_accuracy", "ece")},
        "auc": float(np.mean(known)) if known else None,
        "per_class": per_class,
        "confusion": matrix.tolist(),
        "reliability": reliability(tally),
    }


def one_versus_rest_auc(predictions: pl.DataFrame) -> list[float | None]:
    """Return the area under the ROC curve of each class against the rest; None where one side has no images."""
    actual, scores = class_codes(predictions["actual"]), probability_array(predictions)
    areas: list[float | None] = []
    for i in range(len(CLASSES)):
        of_class = actual == i
        both = of_class.any() and not of_class.all()
        areas.append(float(roc_auc_score(of_class, scores[:, i])) if both else None)
    return areas


def reliability(tally: Tally) -> list[dict[str, Any]]:
    """Return the bins of confidence that hold images, with their mean confidence and accuracy."""
    return [
        {
            "low": i / rates.BINS,
            "high": (i + 1) / rates.BINS,
            "images": int(images),
            "confidence": confidence / images,
            "accuracy": right / images,
        }
        for i, (images, confidence, right) in enumerate(bins(tally.sums).tolist())
        if images
    ]


def breakdown(predictions: pl.DataFrame, by: tuple[str, ...], *, seed: int = 0) -> list[dict[str, Any]]:
    """Return one row per group of equal values of ``by``: its counts, accuracies, interval and confusion matrix."""
    rows = []
    for tally in tallies(predictions, by):
        values, matrix = tally.values(), confusion(tally.sums).astype(int)
        rows.append(
            {
                **tally.group,
                "images": int(matrix.sum()),
                "patients": tally.patients,
                "datasets": tally.datasets,
                "correct": int(np.trace(matrix)),
                "accuracy": values["accuracy"][0],
                "accuracy_ci": tally.intervals(seed)["accuracy"][0],
                "balanced_accuracy": values["balanced_accuracy"][0],
                "confusion": matrix.tolist(),
            }
        )
    return rows


def dataset_spread(predictions: pl.DataFrame) -> dict[str, Any]:
    """Return the mean over datasets of their accuracies, and the worst dataset beside it."""
    table = (
        predictions.group_by("dataset")
        .agg(images=pl.len(), accuracy=(pl.col("actual") == pl.col("predicted")).mean())
        .sort("accuracy", "dataset")
    )
    return {"mean_dataset_accuracy": table["accuracy"].mean(), "worst_dataset": table.row(0, named=True)}
