"""The Imaging Data Commons as one of its earlier releases served it, for replaying how it grew."""

import polars as pl

from modality_assets.archives.idc import IdcArchive
from modality_assets.archives.idc_index import IdcIndex
from modality_assets.archives.releases import idc_history
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.progress import SILENT, Progress

_BYTES_PER_INSTANCE = 530_000
"""A CT slice with its header. Of what was withdrawn the index keeps the bytes, and not the number of instances."""


class IdcHistory:
    """Every version of every series that any release served, as rows of `RAW_SERIES_SCHEMA`, made once."""

    def __init__(self, index: IdcIndex | None = None) -> None:
        self.index = index or IdcIndex()
        self.today = IdcArchive(index=self.index)
        current = self.today.list_series()
        spans = idc_history(self.index)
        facts = current.drop("dataset", "modality_tag", "revised_release", "archive_ref", "first_release")
        # A version that moved to another bucket stands in two rows: it is the same version.
        spans = spans.with_columns(version_first=pl.col("first").min().over("uuid"))
        first_seen = spans.group_by("series_uid").agg(first_release=pl.col("first").min().cast(pl.String))
        self._collections = self.today.list_collections()
        sizes = self.index.prior(["crdc_series_uuid", "PatientID", "StudyInstanceUID", "series_size_MB"]).unique(
            "crdc_series_uuid"
        )
        versions = (
            spans.join(facts, on="series_uid", how="left")
            .join(first_seen, on="series_uid", how="left")
            .join(sizes, left_on="uuid", right_on="crdc_series_uuid", how="left")
        )
        prior_bytes = (pl.col("series_size_MB") * 1e6).round().cast(pl.Int64)
        estimated = (prior_bytes // _BYTES_PER_INSTANCE).clip(lower_bound=1)
        self._versions = versions.with_columns(
            size_bytes=pl.coalesce(prior_bytes, "size_bytes"),
            instances=pl.coalesce("instances", estimated),
            planned_images=pl.coalesce("planned_images", estimated),
            patient_id=pl.coalesce("patient_id", "PatientID"),
            study_uid=pl.coalesce("study_uid", "StudyInstanceUID"),
            analysis_result=pl.col("analysis_result").fill_null(False),
            format=pl.lit("DICOM"),
            revised_release=pl.col("version_first").cast(pl.String),
            archive_ref=pl.col("uuid"),
        )

    def at(self, release: int) -> "IdcPast":
        """Return the archive as ``release`` served it."""
        return IdcPast(self, release)

    def series_at(self, release: int) -> pl.DataFrame:
        """Return one row per series that ``release`` served."""
        served = self._versions.filter((pl.col("first") <= release) & (pl.col("last") >= release))
        return conform(served.unique("series_uid", keep="first", maintain_order=True), RAW_SERIES_SCHEMA)

    def collections_at(self, release: int) -> pl.DataFrame:
        """Return one row per collection that ``release`` or one before it served, withdrawn ones marked retired."""
        seen = (
            self._versions.filter(pl.col("first") <= release)
            .group_by("dataset")
            .agg(
                first=pl.col("first").min(),
                revised=pl.col("first").max(),
                retired=(pl.col("last") < release).all(),
            )
        )
        known = self._collections.drop("first_release", "revised_release", "retired", "archive", "synthetic")
        rows = seen.join(known, on="dataset", how="left").with_columns(
            first_release=pl.col("first").cast(pl.String),
            revised_release=pl.col("revised").cast(pl.String),
            archive=pl.lit("idc"),
            synthetic=pl.lit(False),
        )
        return conform(rows.sort("dataset"), RAW_COLLECTION_SCHEMA)


class IdcPast(IdcArchive):
    """One release of the history; it lists, and fetches nothing that was withdrawn since."""

    def __init__(self, history: IdcHistory, release: int) -> None:
        super().__init__(index=history.index)
        self._history, self._release = history, release

    def version(self) -> str:
        return f"idc release {self._release}"

    def list_collections(self) -> pl.DataFrame:
        return self._history.collections_at(self._release)

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        return self._history.series_at(self._release)
