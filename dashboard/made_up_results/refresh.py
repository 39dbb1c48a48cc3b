"""The record of a refresh that never was, and the promotion of a model by it."""

import polars as pl

from modality_assets.layout import DataLayout
from modality_assets.manifest import write_json

_AT = "2026-08-02T06:30:00+00:00"


def write_refresh(layout: DataLayout, datasets: pl.DataFrame, per_dataset: pl.DataFrame) -> None:
    """Write the record of a refresh that brought the newest release, and what a promoted model changed.

    ``datasets`` has dataset, split, release; ``per_dataset`` is the table of the promoted model's report.
    """
    once = datasets.unique("dataset").sort("dataset")
    newest = once["release"].max()
    rows = [
        {
            "dataset": dataset,
            "change": "new" if release == newest else "unchanged",
            "input_hash": "made up",
            "split": split,
            "series": 1,
            "images": 40,
        }
        for dataset, split, release in once.select("dataset", "split", "release").rows()
    ]
    rows[0]["change"] = "revised"
    promoted = {"architecture": "resnet18", "rescaling": "image_range", "outcome": "promoted", "error": None}
    record = {
        "number": 1,
        "archive": "replica",
        "state": "done",
        "from_release": {"name": once["release"].min(), "version": "made up"},
        "to_release": {"name": newest, "version": "made up"},
        "started_utc": _AT,
        "finished_utc": _AT,
        "cohort": "made up",
        "datasets": rows,
        "retired": [],
        "work": [],
        "splits": [],
        "models": [{**promoted, "before": 0.8, "after": 0.9, "margin": 0.0}],
        "counts": {"new": sum(row["change"] == "new" for row in rows), "revised": 1},
    }
    write_json(layout.refresh_record(1), record)
    folder = layout.version("resnet18", "image_range", "made-up-hash")
    decision = {"metric": "balanced_accuracy", "before": 0.8, "after": 0.9, "margin": 0.0, "promoted": True}
    write_json(folder / "promotion.json", {**decision, "sentence": "promoted (made up)"})
    change = per_dataset.with_columns(
        accuracy_after=pl.col("accuracy"),
        accuracy_before=(pl.col("accuracy") - 0.1).clip(0),
        images_then=pl.col("images"),
        accuracy_then=(pl.col("accuracy") - 0.1).clip(0),
    ).with_columns(difference=pl.col("accuracy_after") - pl.col("accuracy_before"))
    columns = ["dataset", "modality", "split", "images_then", "accuracy_then", "images"]
    columns += ["accuracy_before", "accuracy_after", "difference"]
    change.select(columns).write_parquet(folder / "change_per_dataset.parquet")
