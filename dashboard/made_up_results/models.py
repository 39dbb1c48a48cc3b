"""Models that never were, with their reports."""

from typing import Any

import numpy as np
import polars as pl

from dashboard.made_up_results.images import PER_SERIES
from dashboard.made_up_results.publish import publish
from modality_assets.layout import DataLayout
from modality_assets.modality import CLASSES, SPLITS


def write_model(
    layout: DataLayout,
    architecture: str,
    rescaling: str,
    images: pl.DataFrame,
    skill: float,
    chance: np.random.Generator,
) -> list[dict[str, Any]]:
    """One model, its report, and its rows of the comparison."""
    partition = f"{architecture}|{rescaling}"
    labels = (
        images["actual"].replace_strict({name: i for i, name in enumerate(CLASSES)}, return_dtype=pl.Int8).to_numpy()
    )
    names = images["dataset"].unique(maintain_order=True)
    hardness = dict(zip(names, np.clip(skill + 0.12 * chance.standard_normal(len(names)), 0.05, 0.999), strict=True))
    right = images["chance"].to_numpy() < images["dataset"].replace_strict(hardness, return_dtype=pl.Float32).to_numpy()
    said = np.where(right, labels, (labels + chance.integers(1, 4, len(labels))) % 4)
    confidence = (0.4 + 0.6 * chance.random(len(labels))).astype(np.float32)
    shares = np.repeat(((1 - confidence) / 3)[:, None], 4, axis=1)
    shares[np.arange(len(said)), said] = confidence
    predictions = images.drop("modality", "chance").with_columns(
        predicted=pl.Series(np.array(CLASSES)[said]),
        **{f"p_{name}": pl.Series(shares[:, i]) for i, name in enumerate(CLASSES)},
    )
    by = ["dataset", "actual", "split", "body_part", "format"]
    correct = pl.col("actual") == pl.col("predicted")
    per_dataset = (
        predictions.group_by(by)
        .agg(
            pl.len().cast(pl.Int64).alias("images"),
            pl.col("series_uid").n_unique().cast(pl.Int64).alias("series"),
            correct.sum().cast(pl.Int64).alias("correct"),
        )
        .with_columns(accuracy=pl.col("correct") / pl.col("images"))
        .with_columns(ci_low=(pl.col("accuracy") - 0.05).clip(0), ci_high=(pl.col("accuracy") + 0.05).clip(None, 1))
        .rename({"actual": "modality"})
        .sort("split", "dataset", "modality")
    )
    figures = {split: figures_of(predictions.filter(pl.col("split") == split)) for split in SPLITS}
    timings = {"train_seconds": 60.0, "predict_ms_per_image": 1.5 + skill}
    about = {"study": "main", "architecture": architecture, "rescaling": rescaling}
    metrics = {"model": about, "timings": timings, "main_evidence": "pixels", "evidence": {"pixels": figures}}
    contents = {"predictions.parquet": predictions, "per_dataset.parquet": per_dataset, "metrics.json": metrics}
    counts = {f"{split}_{rate}": figures[split][rate] for split in SPLITS for rate in ("accuracy", "balanced_accuracy")}
    counts["images"] = len(predictions)
    publish(layout.report(architecture, rescaling), "evaluation_report", partition, contents, counts)
    epochs = np.arange(1, 6)
    history = pl.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 1 / epochs,
            "validate_loss": 1.2 / epochs,
            "train_accuracy": 1 - 0.5 / epochs,
            "validate_accuracy": skill - 0.5 / epochs,
            "lr": np.full(5, 0.01),
            "images_per_second": np.full(5, 100.0),
            "seconds": np.full(5, 12.0),
        }
    )
    publish(layout.model(architecture, rescaling), "trained_model", partition, {"history.parquet": history}, {})
    shared = {
        "source": "ours",
        "study": "main",
        "architecture": architecture,
        "rescaling": rescaling,
        "recipe": "quick",
    }
    return [
        {
            **shared,
            "plan": "optimised",
            "seed": 0,
            "split": split,
            "images": one["images"],
            "accuracy": one["accuracy"],
            "balanced_accuracy": one["balanced_accuracy"],
            "ci_low": one["accuracy_ci"][0],
            "ci_high": one["accuracy_ci"][1],
            **timings,
        }
        for split, one in figures.items()
    ]


def figures_of(rows: pl.DataFrame) -> dict[str, Any]:
    matrix = _confusion(rows)
    recalls = [matrix[i][i] / max(sum(matrix[i]), 1) for i in range(4)]
    accuracy = sum(matrix[i][i] for i in range(4)) / max(len(rows), 1)
    groups = [
        {"dataset": dataset, "actual": actual, "images": len(some), "confusion": _confusion(some)}
        for (dataset, actual), some in rows.group_by("dataset", "actual", maintain_order=True)
    ]
    worst = (
        rows.group_by("dataset")
        .agg(pl.len().alias("images"), (pl.col("actual") == pl.col("predicted")).mean().alias("accuracy"))
        .sort("accuracy", "dataset")
    )
    per_class = {
        name: {
            "images": sum(matrix[i]),
            "precision": matrix[i][i] / max(sum(row[i] for row in matrix), 1),
            "recall": recalls[i],
            "f1": recalls[i],
            "auc": None,
        }
        for i, name in enumerate(CLASSES)
    }
    return {
        "images": len(rows),
        "patients": rows["patient_id"].n_unique(),
        "datasets": rows["dataset"].n_unique(),
        "accuracy": accuracy,
        "accuracy_ci": [max(accuracy - 0.04, 0), min(accuracy + 0.04, 1)],
        "balanced_accuracy": float(np.mean(recalls)),
        "confusion": matrix,
        "per_class": per_class,
        "reliability": [
            {"low": low / 10, "high": low / 10 + 0.1, "images": 10, "confidence": low / 10 + 0.05, "accuracy": low / 10}
            for low in range(4, 10)
        ],
        "breakdown": {"dataset_class": groups},
        "worst_dataset": worst.row(0, named=True) if len(worst) else None,
    }


def _confusion(rows: pl.DataFrame) -> list[list[int]]:
    counted = {(a, p): n for a, p, n in rows.group_by("actual", "predicted").len().iter_rows()}
    return [[counted.get((actual, predicted), 0) for predicted in CLASSES] for actual in CLASSES]


def published_rows() -> list[dict[str, Any]]:
    common = {"source": "published", "recipe": "dissertation", "plan": "published", "split": "test"}
    return [
        {**common, "study": "main", "architecture": "resnet18", "rescaling": "image_range", "accuracy": 0.95},
        {
            **common,
            "study": "regularisation",
            "architecture": "vgg16_dropout",
            "rescaling": "image_range",
            "accuracy": 0.4,
        },
    ]


def write_disagreements(layout: DataLayout, images: pl.DataFrame) -> None:
    some = images.unique("series_uid", maintain_order=True).head(5)
    table = some.select("dataset", "patient_id", "study_uid", "series_uid", "split", header="actual").with_columns(
        pixels=pl.lit("MR"),
        confidence=pl.lit(0.9),
        **{f"p_{name}": pl.lit(0.9 if name == "MR" else 0.1 / 3) for name in CLASSES},
        images=pl.lit(PER_SERIES),
        models=pl.lit(2),
        agreeing_models=pl.lit(2),
        series_description=pl.lit("made up"),
        modality_tag=pl.col("header"),
    )
    tables = {"disagreements.parquet": table}
    publish(layout.reports, "header_disagreements", None, tables, {}, shared="disagreements.manifest.json")


def baseline_rows() -> list[dict[str, Any]]:
    """Rows of the comparison for trivial baselines."""
    common = {"source": "ours", "study": "baselines", "rescaling": "none", "recipe": "none", "plan": "optimised"}
    rates = ("accuracy", "balanced_accuracy")
    return [
        {**common, "architecture": name, "seed": 0, "split": split, "images": 10, **dict.fromkeys(rates, score)}
        for name, score in (("majority", 0.25), ("native_statistics", 0.55), ("size_and_bits", 0.4))
        for split in SPLITS
    ]


def ingredient_rows() -> list[dict[str, Any]]:
    """Rows of the comparison for a study over two seeds."""
    common = {"source": "ours", "study": "ingredients", "architecture": "resnet18", "rescaling": "image_range"}
    return [
        {**common, "recipe": recipe, "plan": "optimised", "seed": seed, "split": split, "images": 10}
        | {"accuracy": score + 0.02 * seed, "balanced_accuracy": score - 0.05}
        for recipe, score in (("robust", 0.9), ("robust without label smoothing", 0.8))
        for seed in (0, 1)
        for split in SPLITS
    ]


def probes(models: list[tuple[str, str]]) -> pl.DataFrame:
    """What the features of each model are made up to know of the dataset."""
    figures = {"datasets": 9, "images": 100, "accuracy": 0.6, "from_class": 0.3, "untrained": 0.4, "chance": 0.11}
    rows = [
        {"trial": f"{architecture}-{rescaling}", "architecture": architecture, "rescaling": rescaling, **figures}
        for architecture, rescaling in models
    ]
    return pl.DataFrame(rows).with_columns(shortcut=pl.lit(0.43))
