"""The published cohort in today's archives: which of the 103 datasets are where, and what is missing."""

import polars as pl

from modality_assets.catalogue import published

AVAILABLE = "available"
NO_IMAGES = "listed, no images kept"
NOT_HERE = "not in this archive"
ELSEWHERE = "from elsewhere"


def dissertation_cohort(collections: pl.DataFrame, series: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the 103 published rows with what an archive has of each, in the order of Appendix C.

    Columns: name, split, host, doi, dataset (the archive's keys, joined by '; ', or null), matched_by,
    status, series and images (kept, 0 where none), where (what to do to have it). ``status`` is `AVAILABLE`;
    `NO_IMAGES` where the archive lists the dataset but nothing of it is kept (its images left public access,
    or policies refuse them); `NOT_HERE`; or `ELSEWHERE` for the seven that no archive has. Without
    ``series`` (the table of `decide`), what is listed counts as available.
    """
    matched = published.match(collections)
    kept = _kept(series).select("dataset", "series", "images")
    known = matched.join(kept, on="dataset", how="left", maintain_order="left").with_columns(
        pl.col("series", "images").fill_null(0)
    )
    rows = known.group_by("name", maintain_order=True).agg(
        pl.col("split", "host", "webpage", "doi").first(),
        pl.col("dataset").drop_nulls().str.join("; ").replace("", None),
        pl.col("matched_by").first(),
        pl.col("series", "images").sum(),
    )
    listed = pl.col("dataset").is_not_null()
    has = listed if series is None else listed & (pl.col("series") > 0)
    status = (
        pl.when(has)
        .then(pl.lit(AVAILABLE))
        .when(listed)
        .then(pl.lit(NO_IMAGES))
        .when(pl.col("host") == "tcia")
        .then(pl.lit(NOT_HERE))
        .otherwise(pl.lit(ELSEWHERE))
    )
    archives = collections.select("dataset", "archive").unique("dataset", keep="first").rename({"dataset": "first_key"})
    where = (
        pl.when(pl.col("status") == AVAILABLE)
        .then(pl.coalesce("archive", pl.lit("this archive")))
        .when(pl.col("status") == ELSEWHERE)
        .then(pl.format("a local folder; see {}", pl.col("webpage")))
        .otherwise(pl.format("not public here; see {}", pl.col("webpage")))
    )
    return (
        rows.with_columns(status=status, first_key=pl.col("dataset").str.split("; ").list.first())
        .join(archives, on="first_key", how="left", maintain_order="left")
        .select("name", "split", "host", "doi", "dataset", "matched_by", "status", "series", "images", where=where)
    )


def _kept(series: pl.DataFrame | None) -> pl.DataFrame:
    if series is None:
        return pl.DataFrame(schema={"dataset": pl.String, "series": pl.UInt32, "images": pl.Int64})
    return series.filter("kept").group_by("dataset").agg(series=pl.len(), images=pl.col("planned_images").sum())
