"""Made-up results of any size, in the shape of real ones: for tests, and to measure the pages.

    python -m dashboard.made_up_results FOLDER --predictions 4500000 --datasets 120 --models 16

Every number is drawn by chance; nothing here says anything about a model. Predictions are shared among the models.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from modality_assets.layout import DataLayout
from modality_assets.manifest import MANIFEST, describe, publish_files, publish_folder, staging
from modality_assets.modality import CLASSES, SPLITS
from modality_assets.settings import DEMO, write_settings

_BODY_PARTS = ("chest", "brain", "abdomen", "breast", "knee", "pelvis", None)
_MAKERS = ("Meridian (made up)", "Helion (made up)", "Boreal (made up)", None)
_ARCHITECTURES = ("resnet18", "mnasnet1_0", "resnet34", "resnet50", "vgg16", "vgg16_dropout", "densenet121", "other")
_RESCALINGS = ("image_range", "dtype_range", "dtype_range_published")
_PER_SERIES = 40
_DIFFERENT_PIXELS = 64


@dataclass(frozen=True)
class Size:
    """How much to make up."""

    predictions: int = 2_000
    datasets: int = 9
    models: int = 2
    image_size: int = 32


def make_up_results(root: Path, size: Size = Size(), seed: int = 0) -> DataLayout:
    """Write a whole data root of made-up results and return its layout."""
    layout, chance = DataLayout(root), np.random.default_rng(seed)
    models = [
        (_ARCHITECTURES[n // 2 % len(_ARCHITECTURES)], _RESCALINGS[n % 2 + n // (2 * len(_ARCHITECTURES))])
        for n in range(size.models)
    ]
    settings = {
        "architectures": tuple(dict.fromkeys(one for one, _ in models)),
        "rescalings": tuple(dict.fromkeys(one for _, one in models)),
    }
    write_settings(layout.settings, DEMO.with_changes(settings))
    datasets = _datasets(size, chance)
    images = _images(datasets, size.predictions // size.models, chance)
    _archive(layout, datasets, images)
    _decoded(layout, images, size.image_size, chance)
    rows = []
    for number, (architecture, rescaling) in enumerate(models):
        rows += _model(layout, architecture, rescaling, images, 0.93 - 0.25 * (number % 2) - 0.01 * number, chance)
    comparison = pl.DataFrame([*rows, *_published()], infer_schema_length=None)
    _publish(layout.reports, "model_comparison", None, {"comparison.parquet": comparison}, {}, shared=MANIFEST)
    _disagreements(layout, images)
    return layout


def _datasets(size: Size, chance: np.random.Generator) -> pl.DataFrame:
    """One row per dataset and class: dataset, modality, split, body_part, manufacturer, weight, release."""
    rows = []
    for number in range(size.datasets):
        split = "train" if number % 9 < 4 else "validate" if number % 9 < 6 else "test"
        for modality in {CLASSES[number % 4], CLASSES[(number + number // 4) % 4]}:
            rows.append(
                {
                    "dataset": f"made-up-{number:03d}",
                    "modality": modality,
                    "split": split,
                    "body_part": _BODY_PARTS[int(chance.integers(len(_BODY_PARTS)))],
                    "manufacturer": _MAKERS[int(chance.integers(len(_MAKERS)))],
                    "weight": float(chance.lognormal(0, 0.7)),
                    "release": f"2026-0{1 + 8 * number // size.datasets}-01",
                }
            )
    return pl.DataFrame(sorted(rows, key=lambda row: (row["dataset"], row["modality"])))


def _images(datasets: pl.DataFrame, total: int, chance: np.random.Generator) -> pl.DataFrame:
    """One row per image, by split, with the columns of a predictions table that no model decides."""
    weights = datasets["weight"].to_numpy()
    counts = np.maximum(1, np.round(total * weights / weights.sum())).astype(np.int64)
    repeated = datasets.drop("weight", "release").with_columns(images=pl.Series(counts))
    rows = repeated.select(pl.exclude("images").repeat_by("images").explode(empty_as_null=False))
    index = pl.int_range(pl.len()).over("dataset", "modality")
    series = pl.format("{}.{}.{}", pl.col("dataset"), pl.col("modality"), index // _PER_SERIES)
    order = pl.col("split").replace_strict({name: place for place, name in enumerate(SPLITS)})
    return rows.with_columns(
        patient_id=pl.format("{}-{}", pl.col("dataset"), index // (2 * _PER_SERIES)),
        study_uid=series,
        series_uid=series,
        instance_uid=pl.format("{}.{}", series, index % _PER_SERIES),
        frame=pl.lit(0, pl.Int64),
        source_file=pl.format("{}/{}.dcm", series, index % _PER_SERIES),
        actual=pl.col("modality"),
        evidence=pl.lit("pixels"),
        format=pl.lit("DICOM"),
        licence=pl.lit("none, made up"),
        bits_stored=pl.lit(12, pl.Int64),
        chance=pl.Series(chance.random(len(rows), dtype=np.float32)),
    ).sort(order, "dataset", maintain_order=True)


def _archive(layout: DataLayout, datasets: pl.DataFrame, images: pl.DataFrame) -> None:
    """Catalogue, cohort, split plan, source files."""
    series = (
        images.group_by("dataset", "patient_id", "study_uid", "series_uid", "modality", "body_part", "manufacturer")
        .agg(pl.len().cast(pl.Int64).alias("planned_images"))
        .sort("series_uid")
        .join(datasets.select("dataset", first_release="release").unique("dataset"), on="dataset")
        .with_columns(
            modality_tag=pl.col("modality"),
            body_part_raw=pl.col("body_part"),
            series_description=pl.lit("made up"),
            instances=pl.col("planned_images"),
            size_bytes=pl.col("planned_images") * 100_000,
            licence=pl.lit("none, made up"),
            revised_release=pl.col("first_release"),
            format=pl.lit("DICOM"),
        )
    )
    left_out = pl.int_range(pl.len()) % 11 == 10
    series = series.with_columns(kept=~left_out).with_columns(
        reason=pl.when("kept").then(pl.lit("kept")).otherwise(pl.lit("scout: a scout or localizer labelled CT"))
    )
    kept = series.filter("kept")
    per_class = [
        pl.col("planned_images").filter(pl.col("modality") == name).sum().alias(f"images_{name.lower()}")
        for name in CLASSES
    ]
    collections = (
        kept.group_by("dataset")
        .agg(
            pl.col("dataset").first().alias("title"),
            pl.col("licence").first().alias("licences"),
            pl.col("first_release", "revised_release").first(),
            pl.col("patient_id").n_unique().cast(pl.Int64).alias("patients"),
            pl.len().cast(pl.Int64).alias("series"),
            *per_class,
            pl.col("body_part").unique().sort().str.join("; ").alias("body_parts"),
        )
        .with_columns(
            doi=pl.lit(None, pl.String), archive=pl.lit("replica"), retired=pl.lit(False), synthetic=pl.lit(True)
        )
        .sort("dataset")
    )
    counts = {
        "archive": "replica",
        "synthetic": True,
        "collections": len(collections),
        "series": len(series),
        "series_kept": len(kept),
        "images_kept": int(kept["planned_images"].sum()),
    }
    tables = {"series.parquet": series, "collections.parquet": collections}
    _publish(layout.catalogue, "collection_catalogue", None, tables, counts)
    chosen = {
        "datasets": kept["dataset"].n_unique(),
        "images": int(kept["planned_images"].sum()),
        "gigabytes": float(kept["size_bytes"].sum()) / 1e9,
        "synthetic": True,
    }
    _publish(layout.cohort, "cohort", None, {"series.parquet": kept, "cohort.lock.json": {}}, chosen)
    plan = datasets.select("dataset", "split").unique("dataset").sort("dataset")
    plan = plan.with_columns(pinned=pl.lit(False), group=pl.lit(None, pl.String), reason=pl.lit("made up"))
    relaxed = {"rule": "two_body_parts", "modality": "PT", "split": "test", "wanted": 2, "got": 1, "because": "made up"}
    record = {
        "name": "optimised",
        "shares": DEMO.shares,
        "met": ["one_split_per_dataset"],
        "relaxed": [{**relaxed, "mend": ["a dataset (made up)"]}],
        "never_relaxed": ["one_split_per_dataset: every dataset is in exactly one split"],
        "order_of_relaxing": [],
        "gap": {"proven": True},
        "leakage_groups": [],
        "leaks": 0,
        "earlier": {"new": [plan["dataset"][-1]]},
    }
    _publish(layout.split(), "split_plan", None, {"datasets.parquet": plan, "plan.json": record}, {})
    for dataset, some in kept.group_by("dataset"):
        counts = {"series": len(some), "series_fetched": len(some), "bytes_fetched": int(some["size_bytes"].sum())}
        _publish(layout.source_files(str(dataset[0])), "source_files", str(dataset[0]), {"list.json": {}}, counts)


def _decoded(layout: DataLayout, images: pl.DataFrame, side: int, chance: np.random.Generator) -> None:
    """Decoded datasets; more images than `_DIFFERENT_PIXELS` share pixels."""
    across, down = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    for number, ((dataset,), some) in enumerate(images.group_by("dataset", maintain_order=True)):
        radius = 0.3 + 0.5 * chance.random((min(_DIFFERENT_PIXELS, len(some)), 1, 1))
        inside = np.clip(1.5 - np.hypot(across, 1.3 * down)[None] / radius, 0, 1)
        pixels = np.round(65535 * np.clip(inside + 0.04 * chance.standard_normal(inside.shape), 0, 1)).astype(np.uint16)
        table = some.select("dataset", "source_file", "frame").with_columns(
            pixel_file=pl.lit("pixels-00000.npy"), pixel_index=pl.int_range(pl.len()) % len(pixels)
        )
        refused = {"dataset": str(dataset), "source_file": "bad/1.dcm", "stage": "read", "error": "DamagedImageError"}
        rows = [{**refused, "reason": "1.dcm: shorter than its header says (made up)"}] if number == 0 else []
        quarantine = pl.DataFrame(rows, schema=dict.fromkeys([*refused, "reason"], pl.String))
        counts = {"images": len(some), "quarantined": len(rows)}
        contents = {"images.parquet": table, "quarantine.parquet": quarantine, "pixels-00000.npy": pixels}
        _publish(layout.decoded(str(dataset)), "decoded_images", str(dataset), contents, counts)


def _model(
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
    figures = {split: _figures(predictions.filter(pl.col("split") == split)) for split in SPLITS}
    timings = {"train_seconds": 60.0, "predict_ms_per_image": 1.5 + skill}
    about = {"study": "main", "architecture": architecture, "rescaling": rescaling}
    metrics = {"model": about, "timings": timings, "main_evidence": "pixels", "evidence": {"pixels": figures}}
    contents = {"predictions.parquet": predictions, "per_dataset.parquet": per_dataset, "metrics.json": metrics}
    counts = {f"{split}_{rate}": figures[split][rate] for split in SPLITS for rate in ("accuracy", "balanced_accuracy")}
    counts["images"] = len(predictions)
    _publish(layout.report(architecture, rescaling), "evaluation_report", partition, contents, counts)
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
    _publish(layout.model(architecture, rescaling), "trained_model", partition, {"history.parquet": history}, {})
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


def _figures(rows: pl.DataFrame) -> dict[str, Any]:
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


def _published() -> list[dict[str, Any]]:
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


def _disagreements(layout: DataLayout, images: pl.DataFrame) -> None:
    some = images.unique("series_uid", maintain_order=True).head(5)
    table = some.select("dataset", "patient_id", "study_uid", "series_uid", "split", header="actual").with_columns(
        pixels=pl.lit("MR"),
        confidence=pl.lit(0.9),
        **{f"p_{name}": pl.lit(0.9 if name == "MR" else 0.1 / 3) for name in CLASSES},
        images=pl.lit(_PER_SERIES),
        models=pl.lit(2),
        agreeing_models=pl.lit(2),
        series_description=pl.lit("made up"),
        modality_tag=pl.col("header"),
    )
    tables = {"disagreements.parquet": table}
    _publish(layout.reports, "header_disagreements", None, tables, {}, shared="disagreements.manifest.json")


def _publish(
    folder: Path,
    asset: str,
    partition: str | None,
    contents: Mapping[str, Any],
    counts: dict[str, Any],
    shared: str | None = None,
) -> None:
    """Write ``contents`` (tables, arrays, JSON-able values by file name) as one finished result."""
    with staging(folder) as staged:
        for name, value in contents.items():
            if isinstance(value, pl.DataFrame):
                value.write_parquet(staged / name)
            elif isinstance(value, np.ndarray):
                np.save(staged / name, value)
            else:
                (staged / name).write_text(json.dumps(value))
        manifest = describe(
            staged,
            asset=asset,
            partition=partition,
            input_hash="made up",
            code_version="made up",
            run_id="made up",
            seconds=1.0,
            counts=counts,
        )
        if shared is None:
            publish_folder(staged, folder, manifest)
        else:
            publish_files(staged, folder, manifest, shared)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--predictions", type=int, default=4_500_000, help="of all models together")
    parser.add_argument("--datasets", type=int, default=120)
    parser.add_argument("--models", type=int, default=16)
    asked = parser.parse_args()
    make_up_results(asked.folder, Size(asked.predictions, asked.datasets, asked.models))
