import polars as pl
import pytest

from modality_assets.evaluation.comparison import SCHEMA, ReportRef, compare, published_rows
from modality_assets.evaluation.errors import UnreadableReportError
from modality_assets.evaluation.report import write_report

PUBLISHED = pl.DataFrame(
    [
        ("7.1", "accuracy_pct", "test", "dtype_range", "ResNet18", 52),
        ("7.4", "balanced_accuracy_pct", "test", "dtype_range", "ResNet18", 36),
        ("7.17", "accuracy_pct", "test", "image_range", "ResNet18", 95),
        ("7.18", "balanced_accuracy_pct", "validate", "image_range", "ResNet18", 97),
        ("7.3", "accuracy_pct", "test", "dtype_range", "VGG16+dropout L2=0.005", 18),
        ("7.3", "accuracy_pct", "test", "dtype_range", "VGG16+dropout L2=0", 38),
        ("7.4", "balanced_accuracy_pct", "test", "dtype_range", "VGG16+dropout", 32),
    ],
    schema=["table", "metric", "split", "rescaling", "architecture", "value"],
    orient="row",
)


def test_published_figures_of_one_model_are_one_row():
    rows = published_rows(PUBLISHED).filter(architecture="resnet18", split="test", rescaling="dtype_range_published")
    assert rows.select("accuracy", "balanced_accuracy", "study", "source", "plan").rows() == [
        (0.52, 0.36, "main", "published", "published")
    ]


def test_published_dtype_range_enters_as_what_it_was():
    assert set(published_rows(PUBLISHED)["rescaling"]) == {"dtype_range_published", "image_range"}


def test_published_penalties_are_the_regularisation_study():
    rows = published_rows(PUBLISHED).filter(study="regularisation")
    assert rows.select("architecture", "recipe", "accuracy").rows() == [
        ("vgg16_dropout", "dissertation L2=0", 0.38),
        ("vgg16_dropout", "dissertation L2=0.005", 0.18),
    ]


def test_a_figure_that_was_not_published_is_null():
    row = published_rows(PUBLISHED).row(by_predicate=pl.col("split") == "validate", named=True)
    assert row["accuracy"] is None
    assert row["images"] is None
    assert row["balanced_accuracy"] == pytest.approx(0.97)


def test_ours_stand_beside_the_published(predictions, tmp_path):
    table = predictions([0, 0, 1], [0, 1, 1]).vstack(predictions([0], [0], split="train"))
    write_report(table, tmp_path, timings={"predict_ms_per_image": 2.5}, model={})
    ref = ReportRef(tmp_path, "main", "resnet18", "image_range", "quick", "optimised", 7, 12.5)
    found = compare([ref], PUBLISHED)
    assert found.schema == SCHEMA
    ours = found.filter(source="ours")
    assert ours["split"].to_list() == ["train", "test"]
    test = ours.row(1, named=True)
    assert (test["images"], test["seed"], test["train_seconds"], test["predict_ms_per_image"]) == (3, 7, 12.5, 2.5)
    assert test["ci_low"] <= test["accuracy"] <= test["ci_high"]
    assert len(found) == 2 + len(published_rows(PUBLISHED))


def test_the_time_per_image_is_that_of_one_image_at_a_time(predictions, tmp_path):
    timings = {"batch_1_ms_per_image": 3.5, "batch_128_ms_per_image": 0.5}
    write_report(predictions([0], [0]), tmp_path, timings=timings, model={})
    ref = ReportRef(tmp_path, "main", "resnet18", "image_range", "quick", "optimised", 7, None)
    assert compare([ref], PUBLISHED).filter(source="ours")["predict_ms_per_image"].to_list() == [3.5]


def test_without_any_report_of_ours_the_published_remain():
    assert compare([], PUBLISHED).equals(published_rows(PUBLISHED))


def test_a_missing_report_is_named(tmp_path):
    ref = ReportRef(tmp_path / "gone", "main", "resnet18", "image_range", "quick", "optimised", 0, None)
    with pytest.raises(UnreadableReportError, match="gone"):
        compare([ref], PUBLISHED)
