"""Catalogue, cohort, split plan and source files of what is made up."""

from typing import Any

import polars as pl

from dashboard.made_up_results.publish import publish
from modality_assets.layout import DataLayout
from modality_assets.modality import CLASSES
from modality_assets.settings import DEMO

_DOIS = {"made-up-000": "10.7937/k9/tcia.2018.pat12tbs", "made-up-001": "10.7937/tcia.2019.8kap372n"}
"""Two datasets pass for published ones, so that figures beside the published ones show something."""


def write_archive(layout: DataLayout, datasets: pl.DataFrame, images: pl.DataFrame) -> None:
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
            doi=pl.col("dataset").replace_strict(_DOIS, default=None, return_dtype=pl.String),
            archive=pl.lit("replica"),
            retired=pl.lit(False),
            synthetic=pl.lit(True),
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
    publish(layout.catalogue, "collection_catalogue", None, tables, counts)
    chosen = {
        "datasets": kept["dataset"].n_unique(),
        "images": int(kept["planned_images"].sum()),
        "gigabytes": float(kept["size_bytes"].sum()) / 1e9,
        "synthetic": True,
    }
    publish(layout.cohort, "cohort", None, {"series.parquet": kept, "cohort.lock.json": {}}, chosen)
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
        "leakage_groups": [_kinship(plan)],
        "leaks": 0,
        "earlier": {"new": [plan["dataset"][-1]]},
    }
    publish(layout.split(), "split_plan", None, {"datasets.parquet": plan, "plan.json": record}, {})
    for dataset, some in kept.group_by("dataset"):
        counts = {"series": len(some), "series_fetched": len(some), "bytes_fetched": int(some["size_bytes"].sum())}
        publish(layout.source_files(str(dataset[0])), "source_files", str(dataset[0]), {"list.json": {}}, counts)


def _kinship(plan: pl.DataFrame) -> dict[str, Any]:
    """Two datasets of one split that share patients."""
    train = plan.filter(pl.col("split") == "train")["dataset"]
    pair = {"dataset": train[0], "split": "train", "other": train[1], "other_split": "train"}
    return {**pair, "patients": 3, "leak": False, "evidence": "made up"}
