"""A report on disk: predictions.parquet, metrics.json, per_dataset.parquet, groups.parquet."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.evaluation.errors import UnreadableReportError
from modality_assets.evaluation.groups import group_table
from modality_assets.evaluation.metrics import metrics
from modality_assets.evaluation.per_dataset import per_dataset
from modality_assets.evaluation.predictions import MAIN_EVIDENCE
from modality_assets.manifest import write_json

PREDICTIONS, METRICS = "predictions.parquet", "metrics.json"
PER_DATASET, GROUPS = "per_dataset.parquet", "groups.parquet"


def write_report(
    predictions: pl.DataFrame, staged: Path, *, timings: Mapping[str, Any], model: Mapping[str, Any], seed: int = 0
) -> dict[str, Any]:
    """Write the four files of a report into the folder ``staged`` and return its summary counts.

    ``predictions`` is one table of `predictions_table` or several under one another (splits, kinds of
    evidence). ``timings`` (JSON-able; seconds, milliseconds, images per second) and ``model`` (architecture,
    rescaling, recipe, plan, seed and what else identifies it) are kept in metrics.json as they are.
    Summary: images, datasets and, per split of the main evidence, accuracy and balanced accuracy.
    Raises `NoPredictionsError` for an empty table.
    """
    figures = metrics(predictions, seed=seed)
    kinds = list(figures["evidence"])
    main = MAIN_EVIDENCE if MAIN_EVIDENCE in kinds else kinds[0]
    figures = {"model": dict(model), "timings": dict(timings), "main_evidence": main, **figures}
    predictions.write_parquet(staged / PREDICTIONS, compression="zstd")
    per_dataset(predictions, evidence=main, seed=seed).write_parquet(staged / PER_DATASET, compression="zstd")
    group_table(figures).write_parquet(staged / GROUPS, compression="zstd")
    write_json(staged / METRICS, without_nan(figures))
    splits = figures["evidence"][main]
    return {
        "images": sum(split["images"] for split in splits.values()),
        "datasets": predictions["dataset"].n_unique(),
        "evidence": kinds,
        **{f"{split}_accuracy": values["accuracy"] for split, values in splits.items()},
        **{f"{split}_balanced_accuracy": values["balanced_accuracy"] for split, values in splits.items()},
    }


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return metrics.json of a report's folder; raise `UnreadableReportError` where there is none to be read."""
    path = folder / METRICS
    try:
        found = json.loads(path.read_text())
        found["evidence"][found["main_evidence"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableReportError(f"{path}: not a report ({error!r}); materialise evaluation_report again") from None
    return found


def without_nan(value: Any) -> Any:
    """Return ``value`` with every NaN and infinity in it as None: JSON has neither."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()  # a numpy scalar
    return None if isinstance(value, float) and value - value != 0 else value
