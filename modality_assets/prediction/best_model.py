"""Which of a data root's models predicts where the user names none."""

import json
from pathlib import Path

import polars as pl

from modality_assets.layout import DataLayout
from modality_assets.manifest import whole
from modality_assets.prediction.errors import ModelNotFoundError

INDISTINGUISHABLE = 0.05
"""Balanced accuracies on validate that differ by less than this are the same: validate has few datasets."""


def best_model(layout: DataLayout) -> Path:
    """Return the folder of the model to predict with; never chosen by test.

    It is the one with the best balanced accuracy on validate. Where others come as near as `INDISTINGUISHABLE`,
    one that started from pretrained weights goes before one that has seen these few datasets alone: on datasets
    left out it was right far more often (docs/experiment-log.md).
    Raises `ModelNotFoundError` where the data root has no comparison of models yet.
    """
    if not layout.comparison_table.exists():
        raise ModelNotFoundError(
            f"{layout.root} has no model_comparison yet: run `modality demo` or `modality run`, "
            "or name a model with --model"
        )
    found = pl.scan_parquet(layout.comparison_table).filter(source="ours", study="main", split="validate")
    table = found.select("architecture", "rescaling", "balanced_accuracy").collect()
    if table.is_empty():
        raise ModelNotFoundError(
            f"{layout.comparison_table} holds no model of ours: materialise evaluation_report first"
        )
    near = table.filter(pl.col("balanced_accuracy") >= pl.col("balanced_accuracy").max() - INDISTINGUISHABLE)
    models = [(*row, whole(layout.model(row[0], row[1]))) for row in near.rows()]
    return min(models, key=lambda one: (not _is_pretrained(one[3]), -one[2], one[0], one[1]))[3]


def _is_pretrained(model: Path) -> bool:
    try:
        config = json.loads((model / "config.json").read_text())
    except (OSError, ValueError):
        return False  # loading it will say what is wrong with it
    return bool(config.get("pretrained") or config.get("recipe", {}).get("pretrained"))
