import polars as pl
import pytest

from modality_assets.evaluation.disagreements import SCHEMA, disagreements

SERIES = pl.DataFrame(
    {
        "dataset": ["D", "D", "E"],
        "series_uid": ["s", "t", "s"],
        "series_description": ["Scout", "Chest", "elsewhere"],
        "modality_tag": ["CT", "CT", "MR"],
    }
)


def test_a_series_whose_pixels_contradict_its_header_is_listed_with_what_the_catalogue_says(predictions):
    table = predictions([0, 0, 0], [3, 3, 0], series=["s", "s", "t"])
    found = disagreements(table, SERIES)
    assert found.schema == SCHEMA
    (row,) = found.iter_rows(named=True)
    assert (row["series_uid"], row["header"], row["pixels"], row["images"]) == ("s", "CT", "XR", 2)
    assert row["series_description"] == "Scout"
    assert row["confidence"] == pytest.approx(0.7, abs=1e-6)


def test_the_most_confident_comes_first(predictions):
    table = predictions([0, 0], [3, 3], series=["s", "t"], confidence=[0.6, 0.9])
    assert disagreements(table, SERIES)["series_uid"].to_list() == ["t", "s"]


def test_models_are_averaged_and_counted(predictions):
    sure = predictions([0, 0], [3, 0], series=["s", "t"], confidence=0.9).with_columns(model=pl.lit("a"))
    unsure = predictions([0, 0], [0, 3], series=["s", "t"], confidence=0.5).with_columns(model=pl.lit("b"))
    (row,) = disagreements(pl.concat([sure, unsure]), SERIES).iter_rows(named=True)
    assert (row["series_uid"], row["models"], row["agreeing_models"], row["images"]) == ("s", 2, 1, 1)
    assert row["p_XR"] == pytest.approx((0.9 + 0.5 / 3) / 2, abs=1e-6)


def test_only_pixels_are_asked(predictions):
    table = predictions([0], [3], series=["s"], evidence="intensities")
    assert disagreements(table, SERIES).is_empty()


def test_a_series_that_the_catalogue_does_not_know_is_still_listed(predictions):
    (row,) = disagreements(predictions([0], [3], series=["unknown"]), SERIES).iter_rows(named=True)
    assert row["series_description"] is None
