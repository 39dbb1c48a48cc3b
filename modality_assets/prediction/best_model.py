"""Which of a data root's models predicts where the user names none."""

from pathlib import Path

import polars as pl

from modality_assets.layout import DataLayout
from modality_assets.manifest import whole
from modality_assets.prediction.errors import ModelNotFoundError


def best_model(layout: DataLayout) -> Path:
    """Return the folder of the model with the best balanced accuracy on validate; never chosen by test.

    Raises `ModelNotFoundError` where the data root has no comparison of models yet.
    """
    if not layout.comparison_table.exists():
        raise ModelNotFoundError(
            f"{layout.root} has no model_comparison yet: run `modality demo` or `modality run`, "
            "or name a model with --model"
        )
    table = pl.scan_parquet(layout.comparison_table).filter(source="ours", study="main", split="validate")
    best = (
        table.sort("balanced_accuracy", "architecture", "rescaling", descending=[True, False, False]).head(1).collect()
    )
    if best.is_empty():
        raise ModelNotFoundError(
            f"{layout.comparison_table} holds no model of ours: materialise evaluation_report first"
        )
    return whole(layout.model(best["architecture"].item(), best["rescaling"].item()))
