"""The Imaging Data Commons: its whole index offline, its files from public buckets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.archives.archive import Delivery, EmptyArchiveError
from modality_assets.archives.buckets import Buckets
from modality_assets.archives.idc_index import IdcIndex
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.modality import CLASS_OF_CODE
from modality_assets.progress import SILENT, Progress

GCS_ENDPOINT = "https://storage.googleapis.com"
_GCS_BUCKETS = {"idc-open-data-two": "idc-open-idc1", "idc-open-data-cr": "idc-open-cr"}
"""The same series lie in Google's cloud, in some cases in a bucket of another name."""


class IdcArchive:
    """Every series of the index; one series is the objects below ``<bucket>/<crdc_series_uuid>/``.

    ``endpoint`` is that of an S3 service: none for Amazon's, `GCS_ENDPOINT` for Google's, or any other.
    """

    name = "idc"
    synthetic = False

    def __init__(self, endpoint: str | None = None, *, index: IdcIndex | None = None) -> None:
        self.index = index or IdcIndex()
        self._buckets = Buckets(endpoint)
        self._at_google = bool(endpoint) and "storage.googleapis.com" in str(endpoint)

    def version(self) -> str:
        return self.index.version()

    def list_collections(self) -> pl.DataFrame:
        """Return one row per collection, withdrawn ones marked retired.

        The DOI is that of the original images: a collection's source that has a modality with a class comes
        before its others (slides of the same patients have a DOI of their own).
        """
        found = self.index.collections()
        releases = (
            self.index.series(["collection_id", "series_init_idc_version", "series_revised_idc_version"])
            .group_by("collection_id")
            .agg(
                _release(pl.col("series_init_idc_version").min()).alias("first_release"),
                _release(pl.col("series_revised_idc_version").max()).alias("revised_release"),
            )
        )
        current = (
            found.select(
                pl.col("collection_id"),
                pl.col("collection_name").alias("title"),
                pl.col("tumor_locations").alias("tumour_locations"),
            )
            .join(_sources(found), on="collection_id", how="left")
            .join(releases, on="collection_id", how="left")
            .with_columns(retired=pl.lit(False))
        )
        withdrawn = (
            self.index.prior(["collection_id", "min_idc_version", "max_idc_version"])
            .join(found, on="collection_id", how="anti")
            .group_by("collection_id")
            .agg(
                _release(pl.col("min_idc_version").min()).alias("first_release"),
                _release(pl.col("max_idc_version").max()).alias("revised_release"),
            )
            .with_columns(title=pl.col("collection_id"), retired=pl.lit(True))
        )
        rows = pl.concat([current, withdrawn], how="diagonal").with_columns(
            dataset=pl.col("collection_id"), archive=pl.lit(self.name), synthetic=pl.lit(False)
        )
        return conform(rows.sort("dataset"), RAW_COLLECTION_SCHEMA)

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        """Return every series of the index, of every modality. Raises `ArchiveContentError`, `EmptyArchiveError`.

        The index has neither NumberOfFrames nor rows and columns: planned images are instances. In release 25
        that concerns breast tomosynthesis alone, 26,294 series of `breast_cancer_screening_dbt` and `ea1141`, which
        count one image an instance until they are decoded; no enhanced CT, MR or PT is kept.
        """
        with progress.task("Reading the index", total=1, unit="indexes") as task:
            index = self.index.series(list(_COLUMNS))
            if not index.height:
                raise EmptyArchiveError(f"{self.index.folder}: the index lists no series; install idc-index-data again")
            rows = index.rename({old: new for old, new in _COLUMNS.items() if new}).with_columns(
                format=pl.lit("DICOM"),
                planned_images=pl.col("instances"),
                size_bytes=(pl.col("series_size_MB") * 1e6).round().cast(pl.Int64),
                first_release=_release(pl.col("series_init_idc_version")),
                revised_release=_release(pl.col("series_revised_idc_version")),
                analysis_result=pl.col("analysis_result_id").is_not_null(),
                archive_ref=pl.concat_str("aws_bucket", "crdc_series_uuid", separator="/"),
            )
            task.advance(1)
        return conform(rows, RAW_SERIES_SCHEMA)

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Fetch the objects of one series; an ETag that is an MD5 is promised as such."""
        bucket, _, prefix = str(row["archive_ref"]).partition("/")
        if self._at_google:
            bucket = _GCS_BUCKETS.get(bucket, bucket)
        return self._buckets.fetch_folder(bucket, prefix, into, on_bytes)

    def pins(self) -> pl.DataFrame | None:
        return None

    def close(self) -> None:
        self._buckets.close()


_COLUMNS = {
    "collection_id": "dataset",
    "PatientID": "patient_id",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
    "Modality": "modality_tag",
    "SOPClassUID": "sop_class_uid",
    "TransferSyntaxUID": "transfer_syntax_uid",
    "PhotometricInterpretation": "photometric",
    "BodyPartExamined": "body_part_raw",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "manufacturer_model",
    "SeriesDescription": "series_description",
    "instanceCount": "instances",
    "license_short_name": "licence",
    "series_size_MB": "",
    "series_init_idc_version": "",
    "series_revised_idc_version": "",
    "analysis_result_id": "",
    "aws_bucket": "",
    "crdc_series_uuid": "",
}


def _release(version: pl.Expr) -> pl.Expr:
    """A release's name is its number."""
    return version.cast(pl.String)


def _sources(collections: pl.DataFrame) -> pl.DataFrame:
    """One DOI and all licences per collection."""
    sources = collections.select("collection_id", "sources").explode("sources").unnest("sources")
    with_class = pl.any_horizontal(
        [pl.col("modalities").str.split(", ").list.contains(code) for code in sorted(CLASS_OF_CODE)]
    )
    return (
        sources.with_columns(
            rank=(pl.col("source_type") == "original_data").cast(pl.Int8) * 2
            + with_class.fill_null(False).cast(pl.Int8),
            licence=pl.col("license").struct.field("license_short_name"),
        )
        .sort("collection_id", "rank", descending=[False, True], maintain_order=True)
        .group_by("collection_id", maintain_order=True)
        .agg(
            pl.col("source_doi").first().str.to_lowercase().alias("doi"),
            pl.col("licence")
            .filter(pl.col("source_type") == "original_data")
            .unique()
            .sort()
            .str.join("; ")
            .alias("licences"),
        )
    )
