"""How long each part of each step took, and how fast each step is beside others."""

import polars as pl

from dashboard import labels
from dashboard.results import NotMaterialisedError, Results
from dashboard.results.published import reference_speeds

_SPEEDS = {
    "decoded_images": "Decoding",
    "rescaled_shards": "Shards",
    "trained_model": "Training",
    "evaluation_report": "Evaluation",
}


def seconds_of_parts(results: Results) -> pl.DataFrame:
    """Return Step, Part, seconds, images, images_per_second of every result on disk, the slowest first."""
    rows = []
    for asset, words in labels.ASSETS.items():
        for one in results.quality.manifests(asset):
            images = one.counts.get("images")
            rate = images / one.seconds if isinstance(images, int) and one.seconds else None
            rows.append((words, (one.partition or "whole").replace("|", ", "), one.seconds, images, rate))
    if not rows:
        raise NotMaterialisedError("collection_catalogue")
    columns = ["Step", "Part", "seconds", "images", "images_per_second"]
    schema = dict(zip(columns, (pl.String, pl.String, pl.Float64, pl.Int64, pl.Float64), strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row", strict=False).sort("seconds", descending=True)


def speeds_of(results: Results) -> pl.DataFrame:
    """Return images per second by step, here and elsewhere.

    Columns asset, stage, images_per_second, images (null elsewhere), what, hardware, source, ours.
    """
    rows = []
    for asset, stage in _SPEEDS.items():
        if asset == "trained_model":
            found = [(one["images"], one["seconds"]) for one in _epochs(results)]
        else:
            found = [(one.counts.get("images", 0), one.seconds) for one in results.quality.manifests(asset)]
        images, seconds = sum(n for n, _ in found), sum(s for _, s in found)
        if images and seconds:
            rows.append(
                (asset, stage, images / seconds, images, "all parts together", "this machine", "manifests", True)
            )
    columns = ["asset", "stage", "images_per_second", "images", "what", "hardware", "source", "ours"]
    types = (pl.String, pl.String, pl.Float64, pl.Int64, pl.String, pl.String, pl.String, pl.Boolean)
    ours = pl.DataFrame(rows, schema=dict(zip(columns, types, strict=True)), orient="row")
    theirs = reference_speeds().with_columns(
        stage=pl.col("asset").replace_strict(_SPEEDS),
        images_per_second=pl.col("images_per_second").cast(pl.Float64),
        images=pl.lit(None, pl.Int64),
        ours=pl.lit(False),
    )
    return pl.concat([ours, theirs.select(columns)])


def _epochs(results: Results) -> list[dict[str, float]]:
    """Images and seconds of every epoch of the main models."""
    found = []
    for model in results.models.all():
        if model.study == "main" and (model.folder / "history.parquet").is_file():
            history = results.models.history(model)
            found += (
                history.with_columns(images=pl.col("images_per_second") * pl.col("seconds"))
                .select("images", "seconds")
                .to_dicts()
            )
    return found
