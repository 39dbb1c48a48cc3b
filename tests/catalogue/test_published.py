import tomllib
from fnmatch import fnmatch
from importlib import resources

import polars as pl
import pytest

from modality_assets.catalogue import published
from modality_assets.layout import dataset_key


def test_appendix_c_has_103_rows_of_which_96_have_a_doi():
    table = published.datasets()
    assert table.height == 103
    assert table["name"].is_unique().all()
    assert table["doi"].drop_nulls().len() == table.filter(host="tcia").height == 96
    assert table["doi"].drop_nulls().is_unique().all()
    assert dict(table["split"].value_counts().iter_rows()) == {"train": 74, "validate": 13, "test": 16}


def test_the_published_results_under_dtype_range_carry_the_name_of_the_faulty_version():
    assert set(published.results()["rescaling"]) == {"image_range", "dtype_range_published"}
    best = published.results().filter(table=7.17, metric="accuracy_pct", architecture="ResNet50")
    assert best["value"].to_list() == [96]


def test_every_dataset_of_the_tables_has_its_name_in_appendix_c_but_one():
    table = published.per_dataset()
    assert table.height == 60
    assert table.filter(pl.col("name").is_null())["dataset"].unique().to_list() == ["Brain-Tumor-Progression"]
    names = dict(table.select("dataset", "name").iter_rows())
    assert names["ISPY1"] == "ISPY1 (ACRIN 6657)"
    assert names["Osteo-Arthritis Initiative"] == "NDA Osteoarthritis Initiative"
    assert names["NaF PROSTATE"] == "NaF Prostate"
    splits = dict(published.datasets().select("name", "split").iter_rows())
    assert {splits[name] for name in table["name"].drop_nulls()} == {"test"}


def test_every_alias_stands_for_one_row_of_appendix_c():
    table = published.aliases()
    assert set(table["name"]) <= set(published.datasets()["name"])
    assert table["alias"].is_unique().all()


def collections(*rows):
    return pl.DataFrame(rows, schema={"dataset": pl.String, "title": pl.String, "doi": pl.String}, orient="row")


@pytest.mark.parametrize(
    "doi",
    [
        "10.7937/tcia.2020.py71-5978",
        "https://doi.org/10.7937/TCIA.2020.PY71-5978",
        "doi:10.7937/tcia.2020.py71-5978",
        "10.5281/zenodo.8345959; 10.7937/tcia.2020.py71-5978",
    ],
)
def test_a_doi_matches_however_it_is_written(doi):
    matched = published.match(collections(("renamed", "Renamed", doi))).drop_nulls("dataset")
    assert matched.select("name", "dataset", "matched_by").rows() == [("COVID-19-AR", "renamed", "doi")]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("lidc_idri", "LIDC-IDRI"),
        ("LIDC-IDRI", "LIDC-IDRI"),
        ("acrin_flt_breast", "Acrin-FLT-Breast (ACRIN 6688)"),
        ("RSNA-BONEAGE", "RSNA Bone Age"),
        ("ChestX-ray14", "NIH 100000 Chest X-ray"),
        ("OAI", "NDA Osteoarthritis Initiative"),
        ("CheXpert", "Chexpert"),
        ("BraTS20", "BraTS20"),
        ("MURA", "MURA"),
        ("MRNet", "MRNet: Knee MRIs"),
        ("ISPY1", "ISPY1 (ACRIN 6657)"),
    ],
)
def test_a_dataset_without_a_doi_is_matched_by_its_name_or_alias(key, name):
    matched = published.match(collections((key, None, None))).drop_nulls("dataset")
    assert matched.select("name", "matched_by").rows() == [(name, "alias")]


def test_a_match_by_doi_is_not_questioned_by_a_name():
    matched = published.match(collections(("other", "MURA", "10.7937/tcia.2020.py71-5978"), ("MURA", "MURA", None)))
    assert matched.drop_nulls("dataset").select("name", "dataset").rows() == [
        ("COVID-19-AR", "other"),
        ("MURA", "MURA"),
    ]


def test_rows_that_match_nothing_are_shown():
    matched = published.match(collections(("MURA", None, None)))
    assert matched.height == 103
    assert matched["dataset"].null_count() == 102
    assert matched["name"].to_list() == published.datasets()["name"].to_list()


def test_the_published_split_pins_what_matches():
    assert published.pins(collections(("MURA", None, None), ("lidc_idri", None, None), ("nlst", None, None))) == {
        "MURA": "test",
        "lidc_idri": "validate",
    }


def test_every_published_name_as_a_dataset_key_is_matched_to_its_row():
    names = published.datasets()["name"].to_list()
    matched = published.match(collections(*((dataset_key(name), name, None) for name in names)))
    assert matched["matched_by"].null_count() == 0
    assert matched.height == 103


def test_67_of_the_96_are_in_the_real_index_by_doi(idc_raw_collections):
    matched = published.match(idc_raw_collections)
    assert matched.height == 103
    assert matched.filter(matched_by="doi").height == 67
    assert matched["dataset"].drop_nulls().is_unique().all()


def test_every_table_is_declared_as_data_of_the_package(pytestconfig):
    declared = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    folder = resources.files(published)
    tables = [entry.name for entry in folder.iterdir() if entry.name.endswith(".csv")]
    assert tables
    assert all(any(fnmatch(name, pattern) for pattern in declared[published.__name__]) for name in tables)
