"""Every model side by side, beside the published figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.evaluation.report import read_metrics
from modality_assets.studies import MAIN_STUDY, REGULARISATION

SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "study": pl.String(),
    "architecture": pl.String(),
    "rescaling": pl.String(),
    "recipe": pl.String(),
    "plan": pl.String(),
    "seed": pl.Int64(),
    "split": pl.String(),
    "images": pl.Int64(),
    "accuracy": pl.Float64(),
    "balanced_accuracy": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "train_seconds": pl.Float64(),
    "predict_ms_per_image": pl.Float64(),
}
"""The columns of comparison.parquet: shares in [0, 1]; ci_low and ci_high are the limits of ``accuracy``."""

_ARCHITECTURES = {
    "DenseNet": "densenet121",
    "ResNet18": "resnet18",
    "ResNet34": "resnet34",
    "ResNet50": "resnet50",
    "VGG16": "vgg16",
    "MNASNet": "mnasnet1_0",
    "VGG16+dropout": "vgg16_dropout",
}
# What the published code did under this name inverted signed images and sent them far out of range.
_RESCALINGS = {"dtype_range": "dtype_range_published"}


@dataclass(frozen=True)
class ReportRef:
    """One of our reports: its folder, and what made the model. ``study`` is `MAIN_STUDY` outside the studies."""

    folder: Path
    study: str
    architecture: str
    rescaling: str
    recipe: str
    plan: str
    seed: int
    train_seconds: float | None


def compare(reports: Sequence[ReportRef], published: pl.DataFrame) -> pl.DataFrame:
    """Return the comparison: one row of `SCHEMA` per model and split, ours first, then the published ones.

    Ours are the figures of the main evidence (rescaled pixels), as the published ones are. ``published`` has
    the columns table, metric (``accuracy_pct`` or ``balanced_accuracy_pct``), split, rescaling, architecture,
    value (percent). Raises `UnreadableReportError` for a folder without a report.
    """
    rows = [row for report in reports for row in _our_rows(report)]
    model = ["study", "architecture", "rescaling", "recipe", "seed"]
    ours = pl.DataFrame(rows, schema=SCHEMA).sort(model, maintain_order=True)
    return pl.concat([ours, published_rows(published)])


def published_rows(published: pl.DataFrame) -> pl.DataFrame:
    """Return the published figures in `SCHEMA`: accuracy and balanced accuracy of one model in one row.

    Names become ours, percents become shares, and ``dtype_range`` becomes ``dtype_range_published``.
    Variants by L2 penalty are of the study 'regularisation', the penalty in ``recipe``.
    """
    penalty = pl.col("architecture").str.extract(r" (L2=\S+)$")
    named = published.with_columns(
        architecture=pl.col("architecture").str.replace(r" L2=\S+$", "").replace(_ARCHITECTURES),
        rescaling=pl.col("rescaling").replace(_RESCALINGS),
        study=pl.when(penalty.is_null()).then(pl.lit(MAIN_STUDY)).otherwise(pl.lit(REGULARISATION)),
        recipe=pl.concat_str(pl.lit("dissertation"), pl.concat_str(pl.lit(" "), penalty).fill_null("")),
        share=pl.col("value").cast(pl.Float64) / 100,
    )
    model = ["study", "architecture", "rescaling", "recipe", "split"]
    merged = named.group_by(model).agg(
        accuracy=_of_metric("accuracy_pct"), balanced_accuracy=_of_metric("balanced_accuracy_pct")
    )
    known = merged.with_columns(source=pl.lit("published"), plan=pl.lit("published"))
    unknown = [pl.lit(None).cast(dtype).alias(name) for name, dtype in SCHEMA.items() if name not in known.columns]
    rows = known.with_columns(unknown).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    return rows.sort(model)


def _of_metric(name: str) -> pl.Expr:
    return pl.col("share").filter(pl.col("metric") == name).first()


def _our_rows(report: ReportRef) -> list[dict[str, Any]]:
    found = read_metrics(report.folder)
    rows = []
    for split, values in found["evidence"][found["main_evidence"]].items():
        low, high = values["accuracy_ci"] or (None, None)
        rows.append(
            {
                "source": "ours",
                "study": report.study,
                "architecture": report.architecture,
                "rescaling": report.rescaling,
                "recipe": report.recipe,
                "plan": report.plan,
                "seed": report.seed,
                "split": split,
                "images": values["images"],
                "accuracy": values["accuracy"],
                "balanced_accuracy": values["balanced_accuracy"],
                "ci_low": low,
                "ci_high": high,
                "train_seconds": report.train_seconds,
                "predict_ms_per_image": _latency(found["timings"]),
            }
        )
    return rows


def _latency(timings: dict[str, Any]) -> float | None:
    """The network's own time for one image at a time, as the published work meant to measure it."""
    return timings.get("predict_ms_per_image", timings.get("batch_1_ms_per_image"))
