"""The figures of a report: by kind of evidence and split, for images and for series, each with its interval."""

from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from modality_assets.evaluation import rates
from modality_assets.evaluation.errors import NoPredictionsError
from modality_assets.evaluation.predictions import PROBABILITIES, by_series, class_codes
from modality_assets.evaluation.tallies import BY_CLASS, SINGLE, Tally, bins, confusion, tallies
from modality_assets.modality import CLASSES, SPLITS

BREAKDOWNS = {
    "dataset_class": ("dataset", "actual"),
    "body_part": ("body_part",),
    "manufacturer": ("manufacturer",),
    "format": ("format",),
}
"""Name in metrics.json to the columns whose equal values make a group."""

_ROWS_WORTH_THREADS = 50_000


def metrics(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return every figure of a predictions table, ready for JSON (no NaN: what cannot be known is None).

    ``{"classes", "axes", "interval", "evidence": {kind: {split: figures}}}``; the ``figures`` of a split are those of
    `figures` for its images, plus ``breakdown`` (the same for each group of `BREAKDOWNS`), ``series`` (all of it again
    for series, each the mean of its images), and the mean and worst accuracy over datasets.
    Raises `NoPredictionsError` for an empty table.
    """
    if predictions.is_empty():
        raise NoPredictionsError("there are no predictions to evaluate: materialise the shards and the model first")
    kinds = predictions["evidence"].unique().sort().to_list()
    # Threads that wait for one another cost more than they save on few rows, the more so on a busy machine.
    with threadpool_limits(1 if len(predictions) < _ROWS_WORTH_THREADS else None, user_api="blas"):
        by_kind = {
            kind: {
                split: split_metrics(rows, seed=seed)
                for split in SPLITS
                if len(rows := predictions.filter((pl.col("evidence") == kind) & (pl.col("split") == split)))
            }
            for kind in kinds
        }
    return {
        "classes": list(CLASSES),
        "axes": {"confusion": ["actual", "predicted"]},
        "interval": "95 %, bootstrap over datasets and within them patients; null for a single patient",
        "evidence": by_kind,
    }


def split_metrics(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return the figures of one split under one kind of evidence: images, series, groups and datasets."""
    series = by_series(predictions)
    return {
        **figures(predictions, seed=seed),
        "breakdown": _breakdowns(predictions, seed),
        "series": {**figures(series, seed=seed), "count": len(series), "breakdown": _breakdowns(series, seed)},
        **dataset_spread(predictions),
    }


def figures(predictions: pl.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Return the figures of the rows at hand, whatever a row is (an image or a series).

    Scalars ``images`` (rows), ``patients``, ``datasets``, ``correct``, and ``accuracy``, ``balanced_accuracy`` (mean
    recall of the classes present), ``ece``, ``auc`` (mean of the classes), each with ``<rate>_ci`` [low, high];
    ``per_class`` {class: images, and recall, precision, f1, auc, each with ``_ci``}; ``confusion`` 4 × 4 (rows actual,
    columns predicted); ``reliability`` [{low, high, images, confidence, accuracy}].
    """
    (tally,) = tallies(predictions)
    return _figures(tally, one_versus_rest_auc(predictions), seed)


def breakdown(predictions: pl.DataFrame, by: tuple[str, ...], *, seed: int = 0) -> list[dict[str, Any]]:
    """Return one row per group of equal values of ``by``, sorted: these values, and the `figures` of the group."""
    areas = {
        tuple(None if value is None else str(value) for value in key): one_versus_rest_auc(rows)
        for key, rows in predictions.select([*dict.fromkeys((*by, "actual", *PROBABILITIES))])
        .partition_by(by, as_dict=True)
        .items()
    }
    return [
        {**tally.group, **_figures(tally, areas[tuple(tally.group.values())], seed)}
        for tally in tallies(predictions, by)
    ]


def _breakdowns(predictions: pl.DataFrame, seed: int) -> dict[str, list[dict[str, Any]]]:
    return {name: breakdown(predictions, columns, seed=seed) for name, columns in BREAKDOWNS.items()}


def _figures(tally: Tally, areas: list[float | None], seed: int) -> dict[str, Any]:
    values, limits = tally.values(), tally.intervals(seed)
    matrix = confusion(tally.sums).astype(int)
    known = [area for area in areas if area is not None]
    area = float(np.mean(known)) if known else None
    rough = values["auc_by_class"]
    per_class = {
        name: {
            "images": int(matrix[i].sum()),
            **{rate: values[f"{rate}_by_class"][i] for rate in BY_CLASS},
            **{f"{rate}_ci": limits[f"{rate}_by_class"][i] for rate in BY_CLASS},
            "auc": areas[i],
            "auc_ci": _around(limits["auc_by_class"][i], areas[i], rough[i]),
        }
        for i, name in enumerate(CLASSES)
    }
    return {
        "images": int(matrix.sum()),
        "patients": tally.patients,
        "datasets": tally.datasets,
        "correct": int(np.trace(matrix)),
        **{rate: values[rate][0] for rate in SINGLE},
        **{f"{rate}_ci": limits[rate][0] for rate in SINGLE},
        "auc": area,
        "auc_ci": _around(limits["auc"][0], area, values["auc"][0]),
        "per_class": per_class,
        "confusion": matrix.tolist(),
        "reliability": reliability(tally),
    }


def _around(limits: list[float] | None, area: float | None, rough: float | None) -> list[float] | None:
    """Move the limits of an area under binned scores by what binning took from the area itself."""
    if limits is None or area is None or rough is None:
        return None
    return [min(1.0, max(0.0, limit + area - rough)) for limit in limits]


def one_versus_rest_auc(predictions: pl.DataFrame) -> list[float | None]:
    """Return the area under the ROC curve of each class against the rest; None where one side has no images.

    By ranks, equal scores sharing theirs: Hanley & McNeil, "The meaning and use of the area under a ROC curve" (1982).
    """
    actual = class_codes(predictions["actual"])
    own = np.bincount(actual, minlength=len(CLASSES))
    others = len(actual) - own
    areas: list[float | None] = [None] * len(CLASSES)
    for i in np.flatnonzero((own > 0) & (others > 0)):
        ranks = predictions[PROBABILITIES[i]].rank("average").to_numpy()
        above = ranks[actual == i].sum() - own[i] * (own[i] + 1) / 2
        areas[i] = float(above / (own[i] * others[i]))
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


def dataset_spread(predictions: pl.DataFrame) -> dict[str, Any]:
    """Return the mean over datasets of their accuracies, and the worst dataset beside it."""
    table = (
        predictions.group_by("dataset")
        .agg(images=pl.len(), accuracy=(pl.col("actual") == pl.col("predicted")).mean())
        .sort("accuracy", "dataset")
    )
    return {"mean_dataset_accuracy": table["accuracy"].mean(), "worst_dataset": table.row(0, named=True)}
