import polars as pl
import pytest

from modality_assets.evaluation.groups import SCHEMA, group_table
from modality_assets.evaluation.metrics import metrics


def test_every_figure_of_every_group_is_a_column_of_its_row(predictions):
    table = predictions(
        [0, 0, 1, 1, 3, 3],
        [0, 1, 1, 1, 3, 0],
        dataset=["A", "A", "A", "B", "B", "B"],
        series=["s", "s", "t", "u", "v", "v"],
        manufacturer=["GE", "GE", "GE", None, None, None],
    )
    found = metrics(table)
    groups = group_table(found)
    assert groups.schema == SCHEMA
    assert set(groups["by"]) == {"all", "dataset_class", "body_part", "manufacturer", "format"}
    of_images = groups.filter(level="image")
    row = of_images.row(by_predicate=(pl.col("by") == "manufacturer") & (pl.col("group") == "GE"), named=True)
    assert (row["images"], row["correct"], row["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert row["recall_CT"] == 0.5
    assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
    assert row["confusion"][0] == [1, 1, 0, 0]
    by_class = of_images.filter(by="dataset_class").select("group", "modality", "images").rows()
    assert by_class == [("A", "CT", 2), ("A", "MR", 1), ("B", "MR", 1), ("B", "XR", 2)]
    whole = of_images.filter(by="all").row(0, named=True)
    assert whole["accuracy"] == found["evidence"]["pixels"]["test"]["accuracy"]
    assert sum(one["images"] for one in whole["reliability"]) == 6
    assert groups.filter(level="series", by="all")["images"].to_list() == [4]
