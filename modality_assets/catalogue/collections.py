"""One row per dataset of an archive: what it says of itself, and what of it is kept."""

import polars as pl

from modality_assets.catalogue.decisions import simulated
from modality_assets.catalogue.policies import PROJECT_PHANTOMS
from modality_assets.catalogue.series import COLLECTION_SCHEMA, RAW_COLLECTION_SCHEMA, conform
from modality_assets.modality import CLASSES


def collections_table(series: pl.DataFrame, raw_collections: pl.DataFrame) -> pl.DataFrame:
    """Return catalogue/collections.parquet (`COLLECTION_SCHEMA`), sorted by dataset.

    ``series`` is the table of `decide`. ``patients`` and ``series`` count everything the archive lists of a
    dataset; images per class, body parts and ``series_kept`` count what is kept. Datasets that only one of
    the two tables knows are in the answer too.
    """
    raw = conform(raw_collections, RAW_COLLECTION_SCHEMA).unique("dataset", keep="first", maintain_order=True)
    flagged = pl.col("synthetic").fill_null(False)
    raw = raw.with_columns(
        retired=pl.col("retired").fill_null(False),
        synthetic=flagged | simulated() | pl.col("dataset").str.starts_with(PROJECT_PHANTOMS),
    )
    kept = pl.col("kept")
    counted = series.group_by("dataset").agg(
        pl.col("patient_id").n_unique().alias("patients"),
        pl.len().alias("series"),
        *(
            pl.col("planned_images").filter(kept & (pl.col("modality") == name)).sum().alias(f"images_{name.lower()}")
            for name in CLASSES
        ),
        pl.col("body_part").filter(kept).unique().sort().str.join("; ").alias("body_parts"),
        pl.col("licence").drop_nulls().unique().sort().str.join("; ").alias("licences_found"),
        _oldest("first_release").alias("first_found"),
        _newest("revised_release").alias("revised_found"),
        kept.sum().alias("series_kept"),
        pl.col("size_bytes").filter(kept).sum().alias("size_bytes_kept"),
    )
    joined = raw.join(counted, on="dataset", how="full", coalesce=True).with_columns(
        licences=pl.coalesce(pl.col("licences").replace("", None), pl.col("licences_found").replace("", None)),
        first_release=pl.coalesce("first_release", "first_found"),
        revised_release=pl.coalesce("revised_release", "revised_found"),
        title=pl.coalesce("title", "dataset"),
        retired=pl.col("retired").fill_null(False),
        synthetic=pl.col("synthetic").fill_null(False),
        body_parts=pl.col("body_parts").fill_null(""),
    )
    counts = [name for name, dtype in COLLECTION_SCHEMA.items() if dtype == pl.Int64()]
    return conform(joined.with_columns(pl.col(counts).fill_null(0)), COLLECTION_SCHEMA).sort("dataset")


def _oldest(column: str) -> pl.Expr:
    return _in_order(column).min().str.strip_chars_start("0")


def _newest(column: str) -> pl.Expr:
    return _in_order(column).max().str.strip_chars_start("0")


def _in_order(column: str) -> pl.Expr:
    # Releases are numbers or ISO dates; padded on the left, both sort as text in the order of time.
    return pl.col(column).drop_nulls().str.zfill(20)
