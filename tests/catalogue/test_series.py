import polars as pl
import pytest

from modality_assets.catalogue.series import (
    COLLECTION_SCHEMA,
    RAW_COLLECTION_SCHEMA,
    RAW_SERIES_SCHEMA,
    SERIES_SCHEMA,
    CatalogueError,
    conform,
)

CONTRACT_SERIES = [
    "dataset",
    "patient_id",
    "study_uid",
    "series_uid",
    "modality_tag",
    "modality",
    "sop_class_uid",
    "transfer_syntax_uid",
    "photometric",
    "body_part",
    "body_part_raw",
    "manufacturer",
    "manufacturer_model",
    "series_description",
    "instances",
    "planned_images",
    "size_bytes",
    "licence",
    "first_release",
    "revised_release",
    "kept",
    "reason",
    "archive_ref",
]
CONTRACT_COLLECTIONS = [
    "dataset",
    "title",
    "doi",
    "archive",
    "licences",
    "first_release",
    "revised_release",
    "patients",
    "series",
    "images_ct",
    "images_mr",
    "images_pt",
    "images_xr",
    "body_parts",
    "retired",
]


def test_the_series_table_begins_with_the_columns_of_the_contract():
    assert list(SERIES_SCHEMA)[: len(CONTRACT_SERIES)] == CONTRACT_SERIES


def test_the_series_table_is_the_raw_columns_and_what_the_catalogue_adds():
    assert set(SERIES_SCHEMA) == set(RAW_SERIES_SCHEMA) | {"modality", "body_part", "kept", "reason"}


def test_the_collections_table_begins_with_the_columns_of_the_contract():
    assert list(COLLECTION_SCHEMA)[: len(CONTRACT_COLLECTIONS)] == CONTRACT_COLLECTIONS


def test_missing_columns_become_null_and_the_order_is_that_of_the_schema():
    frame = conform(pl.DataFrame({"series_uid": ["1.2"], "dataset": ["a"], "extra": [1]}), RAW_SERIES_SCHEMA)
    assert frame.schema == pl.Schema(RAW_SERIES_SCHEMA)
    assert frame.row(0, named=True)["series_uid"] == "1.2"
    assert frame["planned_images"].to_list() == [None]


def test_values_are_cast_to_the_type_of_the_schema():
    frame = conform(pl.DataFrame({"dataset": ["a"], "series_uid": ["1"], "instances": ["12"]}), RAW_SERIES_SCHEMA)
    assert frame["instances"].to_list() == [12]


def test_an_empty_table_conforms():
    assert conform(pl.DataFrame(), RAW_SERIES_SCHEMA).schema == pl.Schema(RAW_SERIES_SCHEMA)
    assert conform(pl.DataFrame(), RAW_COLLECTION_SCHEMA).height == 0


def test_a_column_that_cannot_be_cast_is_named():
    frame = pl.DataFrame({"dataset": ["a"], "series_uid": ["1"], "size_bytes": ["many"]})
    with pytest.raises(CatalogueError, match="'size_bytes' should be Int64 and is String"):
        conform(frame, RAW_SERIES_SCHEMA)


@pytest.mark.parametrize("column", ["dataset", "series_uid"])
def test_a_row_without_a_name_is_refused(column):
    frame = pl.DataFrame({"dataset": ["a", "b"], "series_uid": ["1", "2"]}).with_columns(
        pl.when(pl.col("dataset") == "a").then(None).otherwise(pl.col(column)).alias(column)
    )
    with pytest.raises(CatalogueError, match=column):
        conform(frame, RAW_SERIES_SCHEMA)
