import io

import polars as pl
import pytest
from rich.console import Console

from modality_assets.evaluation.comparison import SCHEMA
from modality_assets.terminal import comparison_table, progress_bars


def _row(**values):
    return {name: values.get(name) for name in SCHEMA}


@pytest.fixture
def comparison() -> pl.DataFrame:
    rows = [
        _row(source="ours", study="main", architecture="resnet18", rescaling="image_range", recipe="quick", seed=0,
             split=split, images=10, accuracy=accuracy, balanced_accuracy=accuracy - 0.1, ci_low=0.5, ci_high=0.9)
        for split, accuracy in (("train", 0.99), ("validate", 0.9), ("test", 0.8))
    ]  # fmt: skip
    published = {"source": "published", "study": "main", "architecture": "resnet18", "recipe": "dissertation"}
    rows.append(_row(**published, rescaling="image_range", split="test", accuracy=0.95, balanced_accuracy=0.84))
    rows.append(_row(**published, rescaling="dtype_range_published", split="test", accuracy=0.52))
    return pl.DataFrame(rows, schema=SCHEMA)


def _printed(table) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return console.file.getvalue()


def test_a_model_is_one_row_with_the_published_figures_of_the_same_rescaling_beside_it(comparison):
    text = _printed(comparison_table(comparison, "main", "Models"))
    (line,) = [line for line in text.splitlines() if "resnet18" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "resnet18", "image_range", "99 / 89", "90 / 80", "80 / 70", "50 to 90", "–", "95 / 84",
    ]  # fmt: skip


def test_figures_that_are_not_known_are_a_dash(comparison):
    unknown = comparison.filter(split="train").with_columns(balanced_accuracy=pl.lit(None, pl.Float64))
    text = _printed(comparison_table(unknown, "main", "Models"))
    assert "99 / –" in text


def test_bars_can_be_opened_inside_one_another():
    with (
        progress_bars() as progress,
        progress.task("outer", total=2) as outer,
        progress.task("inner", total=1e6, unit="B") as inner,
    ):
        inner.advance(5e5)
        inner.note("half")
        outer.advance()
