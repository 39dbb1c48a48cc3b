"""Small raw tables, and the real index of the Imaging Data Commons, which its package ships."""

from collections.abc import Callable
from importlib import resources
from typing import Any

import polars as pl
import pytest

from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def raw_series() -> Callable[..., pl.DataFrame]:
    """Make raw series: one dict per row over the values of an ordinary CT series."""

    def make(*rows: dict[str, Any]) -> pl.DataFrame:
        ordinary = {
            **{"dataset": "lungs", "modality_tag": "CT", "sop_class_uid": CT_IMAGE, "format": "DICOM"},
            **{"instances": 100, "planned_images": 100, "size_bytes": 50_000_000, "licence": "CC BY 4.0"},
            **{"first_release": "1", "revised_release": "1", "analysis_result": False, "body_part_raw": "CHEST"},
        }
        full = [
            {**ordinary, "series_uid": f"1.2.{number}", "patient_id": f"patient-{number}", **row}
            for number, row in enumerate(rows)
        ]
        return conform(pl.DataFrame(full, infer_schema_length=None), RAW_SERIES_SCHEMA)

    return make


@pytest.fixture
def raw_collections() -> Callable[..., pl.DataFrame]:
    """Make raw collections, one dict per row; without rows, an empty table."""

    def make(*rows: dict[str, Any]) -> pl.DataFrame:
        return conform(pl.DataFrame(list(rows), infer_schema_length=None), RAW_COLLECTION_SCHEMA)

    return make


@pytest.fixture(scope="session")
def idc_index() -> pl.DataFrame:
    """The index as it is shipped, one row per series."""
    return pl.read_parquet(str(resources.files("idc_index_data").joinpath("idc_index.parquet")))


@pytest.fixture(scope="session")
def idc_collections_index() -> pl.DataFrame:
    return pl.read_parquet(str(resources.files("idc_index_data").joinpath("collections_index.parquet")))


@pytest.fixture(scope="session")
def idc_raw_series(idc_index: pl.DataFrame) -> pl.DataFrame:
    return conform(
        idc_index.select(
            dataset="collection_id",
            patient_id="PatientID",
            study_uid="StudyInstanceUID",
            series_uid="SeriesInstanceUID",
            modality_tag="Modality",
            sop_class_uid="SOPClassUID",
            transfer_syntax_uid="TransferSyntaxUID",
            photometric="PhotometricInterpretation",
            body_part_raw="BodyPartExamined",
            manufacturer="Manufacturer",
            manufacturer_model="ManufacturerModelName",
            series_description="SeriesDescription",
            format=pl.lit("DICOM"),
            instances="instanceCount",
            planned_images="instanceCount",
            size_bytes=(pl.col("series_size_MB") * 1e6).round(),
            licence="license_short_name",
            first_release="series_init_idc_version",
            revised_release="series_revised_idc_version",
            analysis_result=pl.col("analysis_result_id").is_not_null(),
            archive_ref="series_aws_url",
        ),
        RAW_SERIES_SCHEMA,
    )


@pytest.fixture(scope="session")
def idc_raw_collections(idc_collections_index: pl.DataFrame) -> pl.DataFrame:
    return conform(
        idc_collections_index.select(
            dataset="collection_id",
            title="collection_name",
            doi=pl.col("sources").list.eval(pl.element().struct.field("source_doi")).list.join("; "),
            archive=pl.lit("idc"),
            tumour_locations="tumor_locations",
        ),
        RAW_COLLECTION_SCHEMA,
    )


@pytest.fixture(scope="session")
def idc_decided(idc_raw_series: pl.DataFrame, idc_raw_collections: pl.DataFrame) -> tuple[pl.DataFrame, Any]:
    """The real index, decided on: the series table and the counts of the policies."""
    return decide(idc_raw_series, idc_raw_collections)


@pytest.fixture(scope="session")
def idc_series(idc_decided: tuple[pl.DataFrame, Any]) -> pl.DataFrame:
    return idc_decided[0]
