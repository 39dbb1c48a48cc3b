import json

import numpy as np
import polars as pl
import pytest

from modality_assets.evaluation import groups, per_dataset
from modality_assets.evaluation.errors import UnreadableReportError
from modality_assets.evaluation.predictions import SCHEMA
from modality_assets.evaluation.report import read_metrics, without_nan, write_report


def test_a_report_is_four_files_that_others_can_open(predictions, tmp_path):
    table = predictions([0, 1, 3], [0, 1, 0]).vstack(predictions([0], [0], split="train"))
    summary = write_report(table, tmp_path, timings={"predict_ms_per_image": 1.5}, model={"architecture": "resnet18"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "groups.parquet",
        "metrics.json",
        "per_dataset.parquet",
        "predictions.parquet",
    ]
    assert pl.read_parquet(tmp_path / "predictions.parquet").equals(table)
    assert pl.read_parquet_schema(tmp_path / "predictions.parquet") == SCHEMA
    assert pl.read_parquet_schema(tmp_path / "per_dataset.parquet") == per_dataset.SCHEMA
    assert pl.read_parquet_schema(tmp_path / "groups.parquet") == groups.SCHEMA
    assert summary["images"] == 4
    assert summary["test_accuracy"] == pytest.approx(2 / 3)
    found = read_metrics(tmp_path)
    assert found["model"] == {"architecture": "resnet18"}
    assert found["evidence"]["pixels"]["train"]["accuracy"] == 1


def test_metrics_hold_no_nan(predictions, tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    write_report(predictions([0], [0]), tmp_path, timings={"latency": float("nan")}, model={"lr": np.float32(0.5)})
    found = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert found["timings"]["latency"] is None
    assert found["model"]["lr"] == 0.5


def test_the_same_predictions_write_the_same_bytes(predictions, tmp_path):
    table = predictions([0, 1, 3], [0, 1, 0])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_report(table, tmp_path / name, timings={}, model={})
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("content", [None, "{", "{}", "[1]"])
def test_a_folder_without_a_report_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UnreadableReportError, match=r"metrics\.json.*evaluation_report"):
        read_metrics(tmp_path)


def test_without_nan_keeps_everything_else():
    assert without_nan({1: (np.float64("inf"), np.int64(2), "x", None, True)}) == {"1": [None, 2, "x", None, True]}
