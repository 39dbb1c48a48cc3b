import polars as pl
import pytest

from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.dissertation import dissertation_cohort


@pytest.fixture
def collections():
    rows = [("covid_19_ar", "COVID-19-AR", "10.7937/tcia.2020.py71-5978", "idc"), ("tcga_gbm", "TCGA-GBM", None, "idc")]
    return pl.DataFrame(rows, schema=["dataset", "title", "doi", "archive"], orient="row")


def test_all_103_rows_are_there_with_what_the_archive_has_of_each(collections, raw_series):
    series, _ = decide(
        raw_series({"dataset": "covid_19_ar"}, {"dataset": "tcga_gbm", "modality_tag": "SM"}), collections
    )
    rows = dissertation_cohort(collections, series)
    assert rows.height == 103
    status = {row["name"]: row for row in rows.iter_rows(named=True)}
    assert status["COVID-19-AR"]["status"] == "available"
    assert (status["COVID-19-AR"]["where"], status["COVID-19-AR"]["images"]) == ("idc", 100)
    assert status["TCGA-GBM"]["status"] == "listed, no images kept"
    assert status["REMBRANDT"]["status"] == "not in this archive"
    assert "10.7937/K9/TCIA.2015.5880ZUZB" in status["REMBRANDT"]["where"]
    assert status["MURA"]["status"] == "from elsewhere"
    assert "local folder" in status["MURA"]["where"]


def test_what_is_listed_counts_as_available_before_series_are_known(collections):
    rows = dissertation_cohort(collections)
    assert rows.filter(status="available")["name"].to_list() == ["COVID-19-AR", "TCGA-GBM"]


def test_two_datasets_of_one_published_row_are_counted_together(raw_series):
    doi = "10.7937/tcia.2020.py71-5978"
    collections = pl.DataFrame(
        {"dataset": ["part-1", "part-2"], "title": ["1", "2"], "doi": [doi, doi], "archive": ["folder", "folder"]}
    )
    series, _ = decide(raw_series({"dataset": "part-1"}, {"dataset": "part-2"}, {"dataset": "part-2"}), collections)
    rows = dissertation_cohort(collections, series)
    assert rows.height == 103
    assert rows.filter(name="COVID-19-AR").select("dataset", "series", "images").rows() == [("part-1; part-2", 3, 300)]


def test_the_real_index_has_75_of_the_103_with_images(idc_series, idc_raw_collections):
    rows = dissertation_cohort(idc_raw_collections, idc_series)
    counted = dict(rows["status"].value_counts().iter_rows())
    assert counted == {"available": 75, "listed, no images kept": 5, "not in this archive": 16, "from elsewhere": 7}
