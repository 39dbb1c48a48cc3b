"""Catalogue and cohort: what the archive offers, and what was chosen of it."""

from functools import lru_cache
from pathlib import Path

import polars as pl

from dashboard.results.kept import Source, required, stamp, table_of
from modality_assets.layout import DataLayout
from modality_assets.manifest import Manifest

NOT_STATED = "not stated"


class ArchiveResults:
    """What catalogue and cohort hold."""

    def __init__(self, layout: DataLayout) -> None:
        self.layout = layout

    def catalogue(self) -> tuple[Manifest, Source]:
        """The catalogue's manifest."""
        return required(self.layout.catalogue, "collection_catalogue")

    def series(self) -> pl.LazyFrame:
        """Every series that the archive offers, with the reason for being kept or left out."""
        self.catalogue()
        return pl.scan_parquet(self.layout.series_table)

    def collections(self) -> pl.DataFrame:
        """One row per dataset of the archive."""
        self.catalogue()
        return table_of(self.layout.collections_table)

    def images_by(self, column: str) -> pl.DataFrame:
        """Kept images by ``column`` of the catalogue and class: column, modality, images; the unknown named so."""
        self.catalogue()
        return _images_by(*stamp(self.layout.series_table), column)

    def left_out(self) -> pl.DataFrame:
        """Series and images by reason: reason, kept, series, images; 'kept' is one of the reasons."""
        self.catalogue()
        return _left_out(*stamp(self.layout.series_table))

    def cohort(self) -> tuple[Manifest, Source]:
        """The cohort's manifest."""
        return required(self.layout.cohort, "cohort")

    def cohort_images(self) -> pl.DataFrame:
        """Planned images of the cohort by dataset, modality and body part."""
        self.cohort()
        return _cohort_images(*stamp(self.layout.cohort_table))

    def studies(self, series_uids: list[str]) -> pl.DataFrame:
        """The studies that series of the cohort belong to: series_uid, study_uid."""
        self.cohort()
        wanted = pl.col("series_uid").is_in(series_uids)
        return pl.scan_parquet(self.layout.cohort_table).filter(wanted).select("series_uid", "study_uid").collect()


@lru_cache(maxsize=16)
def _images_by(path: Path, _written: int, column: str) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .filter("kept")
        .group_by(pl.col(column).fill_null(NOT_STATED), "modality")
        .agg(pl.col("planned_images").sum().alias("images"))
        .sort("images", column, "modality", descending=[True, False, False])
        .collect(engine="streaming")
    )


@lru_cache(maxsize=2)
def _left_out(path: Path, _written: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by("reason", "kept")
        .agg(pl.len().alias("series"), pl.col("planned_images").sum().alias("images"))
        .sort("kept", "series", descending=True)
        .collect(engine="streaming")
    )


@lru_cache(maxsize=2)
def _cohort_images(path: Path, _written: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by("dataset", "modality", pl.col("body_part").fill_null(NOT_STATED))
        .agg(pl.col("planned_images").sum().alias("images"))
        .sort("dataset", "modality", "body_part")
        .collect(engine="streaming")
    )
