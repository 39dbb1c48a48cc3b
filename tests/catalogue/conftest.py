"""Small raw tables, and the real index of the Imaging Data Commons, which its package ships."""

from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import polars as pl
import pytest

from modality_assets.archives.idc import IdcArchive
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
def idc_archive() -> Iterator[IdcArchive]:
    archive = IdcArchive()
    yield archive
    archive.close()


@pytest.fixture(scope="session")
def idc_raw_series(idc_archive: IdcArchive) -> pl.DataFrame:
    return idc_archive.list_series()


@pytest.fixture(scope="session")
def idc_raw_collections(idc_archive: IdcArchive) -> pl.DataFrame:
    return idc_archive.list_collections()


@pytest.fixture(scope="session")
def idc_decided(idc_raw_series: pl.DataFrame, idc_raw_collections: pl.DataFrame) -> tuple[pl.DataFrame, Any]:
    """The real index, decided on: the series table and the counts of the policies."""
    return decide(idc_raw_series, idc_raw_collections)


@pytest.fixture(scope="session")
def idc_series(idc_decided: tuple[pl.DataFrame, Any]) -> pl.DataFrame:
    return idc_decided[0]
