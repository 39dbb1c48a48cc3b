"""Figures hold the numbers that they were given, the right way round, and colours are never alone."""

import numpy as np
import polars as pl
import pytest

from dashboard import charts, labels
from dashboard.charts import palette
from modality_assets.learning import architectures
from modality_assets.modality import CLASSES


def test_rows_of_a_confusion_matrix_are_the_actual_class() -> None:
    figure = charts.confusion([[8, 2, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0], [1, 0, 0, 3]])
    heat = figure.data[0]
    assert heat.z[0][1] == pytest.approx(20)
    assert np.isnan(heat.z[2]).all(), "a class without images has no share"
    assert "2" in heat.text[0][1]
    assert "rows" in figure.layout.yaxis.title.text
    assert "columns" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.autorange == "reversed"


def test_every_class_has_a_colour_and_a_pattern_of_its_own() -> None:
    assert set(palette.CLASS_COLOURS) == set(palette.CLASS_PATTERNS) == set(CLASSES)
    assert len(set(palette.CLASS_COLOURS.values())) == len(set(palette.CLASS_PATTERNS.values())) == 4


def test_whiskers_reach_from_the_lower_to_the_upper_end() -> None:
    table = pl.DataFrame(
        {
            "label": ["a", "b"],
            "split": ["test", "test"],
            "accuracy": [0.5, 0.9],
            "ci_low": [0.4, None],
            "ci_high": [0.7, None],
            "published": [False, False],
        }
    )
    whiskers = charts.accuracy_dots(table, "accuracy").data[0].error_x
    assert list(whiskers.array) == pytest.approx([20, 0])
    assert list(whiskers.arrayminus) == pytest.approx([10, 0])


def test_several_seeds_of_a_model_share_its_row_without_whiskers() -> None:
    intervals = {"ci_low": [0.4, 0.5, 0.6], "ci_high": [0.7, 0.8, 0.9], "published": [False] * 3}
    table = pl.DataFrame({"label": ["a", "a", "b"], "split": ["test"] * 3, "accuracy": [0.5, 0.6, 0.7], **intervals})
    marks = charts.accuracy_dots(table, "accuracy").data[0]
    assert list(marks.y) == ["a", "a", "b"]
    assert marks.error_x.array is None


def test_the_marks_of_a_figure_are_explained_as_far_as_it_has_them() -> None:
    values = {"split": ["test"] * 3, "accuracy": [0.5, 0.6, 0.7], "balanced_accuracy": [0.4, 0.5, None]}
    limits = {"ci_low": [0.4, 0.5, None], "ci_high": [0.7, 0.8, None]}
    table = pl.DataFrame({"label": ["a", "b", "a"], "published": [False, False, True], **values, **limits})
    whiskers = "whiskers: 95 % intervals by bootstrap over datasets and patients"
    assert charts.marks_in_words(table, "accuracy") == f"% of images; {whiskers}; hollow marks: published"
    assert charts.marks_in_words(table, "balanced_accuracy") == "mean of the four classes' shares, %"
    seeds = table.with_columns(label=pl.lit("a"), published=pl.lit(False))
    assert charts.marks_in_words(seeds, "accuracy") == "% of images; a mark for each seed"


def test_growth_is_cumulated_over_releases() -> None:
    table = pl.DataFrame(
        {"release": ["2026-01-01", "2026-02-01"], "modality": ["CT", "CT"], "images": [3, 4]},
    )
    assert list(charts.growth(table).data[0].y) == [3, 7]


@pytest.mark.parametrize(
    ("name", "words"),
    [("DamagedImageError", "Damaged image"), ("ConstantImageError", "Constant image"), ("Other", "Other")],
)
def test_errors_have_names_of_words(name: str, words: str) -> None:
    assert labels.error(name) == words


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (12_345, "12 345"), (4_500_000, "4.50 M")])
def test_counts_are_exact_below_a_million(number: int, text: str) -> None:
    assert labels.count(number) == text.replace(" ", "\u202f"), "a space at which a line may break"


def test_every_architecture_has_a_name_for_people() -> None:
    assert set(labels.ARCHITECTURES) == set(architectures.names())
