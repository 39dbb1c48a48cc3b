import io

import polars as pl
import pytest
from rich.console import Console

from modality_assets import terminal
from modality_assets.evaluation.comparison import SCHEMA
from modality_assets.terminal import comparison_table, probes_table, progress_bars


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


def test_the_seeds_of_a_recipe_are_rows_of_their_own():
    rows = [
        _row(source="ours", study="recipe", architecture="resnet18", rescaling="image_range", recipe=recipe, seed=seed,
             split="test", accuracy=0.5 + seed / 10, balanced_accuracy=0.5)
        for recipe in ("dissertation", "robust") for seed in (0, 1)
    ]  # fmt: skip
    text = _printed(comparison_table(pl.DataFrame(rows, schema=SCHEMA), "recipe", "Recipes"))
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "resnet18" in line]
    assert [(line[1], line[2], line[6]) for line in lines] == [
        ("dissertation", "0", "50 / 50"), ("dissertation", "1", "60 / 50"),
        ("robust", "0", "50 / 50"), ("robust", "1", "60 / 50"),
    ]  # fmt: skip


def test_what_was_left_out_of_a_recipe_names_its_row():
    rows = [
        _row(source="ours", study="ingredients", architecture="resnet18", rescaling="image_range", recipe=recipe,
             seed=0, split="test", accuracy=accuracy, balanced_accuracy=accuracy)
        for recipe, accuracy in (("robust", 0.9), ("robust without balanced sampling", 0.8))
    ]  # fmt: skip
    text = _printed(comparison_table(pl.DataFrame(rows, schema=SCHEMA), "ingredients", "Ingredients"))
    assert "80 / 80" in next(line for line in text.splitlines() if "without balanced sampling" in line)
    assert "seed" not in text


def test_a_penalty_stands_beside_the_published_figure_of_the_same_penalty():
    common = {"study": "regularisation", "architecture": "vgg16_dropout", "recipe": "dissertation L2=0.005"}
    rows = [
        _row(**common, source="ours", rescaling="dtype_range", seed=0, split="test", accuracy=0.3),
        _row(**common, source="published", rescaling="dtype_range_published", split="test", accuracy=0.18),
    ]
    text = _printed(comparison_table(pl.DataFrame(rows, schema=SCHEMA), "regularisation", "Penalties"))
    (line,) = [line for line in text.splitlines() if "L2=0.005" in line]
    assert "18 / –" in line


def test_a_baseline_has_no_rescaling():
    rows = [_row(source="ours", study="baselines", architecture="majority", rescaling="none", recipe="none", seed=0,
                 split="test", accuracy=0.4, balanced_accuracy=0.25)]  # fmt: skip
    text = _printed(comparison_table(pl.DataFrame(rows, schema=SCHEMA), "baselines", "Baselines"))
    assert "none" not in text
    assert "40 / 25" in text


def test_probes_stand_beside_chance():
    row = {"trial": "a", "architecture": "resnet18", "rescaling": "image_range", "datasets": 8, "images": 90,
           "accuracy": 0.81, "from_class": 0.4, "untrained": 0.6, "chance": 0.125, "shortcut": 0.7}  # fmt: skip
    text = _printed(probes_table(pl.DataFrame([row])))
    assert [cell for cell in text.replace("│", " ").split() if cell.isdigit()] == ["81", "60", "40", "12", "8"]


def test_bars_can_be_opened_inside_one_another(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=shown, force_terminal=True, width=120))
    with (
        progress_bars() as progress,
        progress.task("outer", total=2) as outer,
        progress.task("inner", total=1e6, unit="B") as inner,
    ):
        inner.advance(5e5)
        inner.note("half")
        outer.advance()
    assert "outer" in shown.getvalue()
    assert "inner" in shown.getvalue()


def test_where_there_is_no_terminal_long_work_says_a_line_now_and_then_beside_the_output(monkeypatch, capsys):
    now = iter(range(0, 10_000, 2))
    monkeypatch.setattr("modality_assets.progress.time.monotonic", lambda: next(now))
    with progress_bars() as progress, progress.task("Fetching", total=40e6, unit="B") as task:
        for number in range(40):
            task.note(f"file {number}")
            task.advance(1e6)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "Fetching: 4.0 MB of 40.0 MB file 3"
    assert lines[-1] == "Fetching: 40.0 MB of 40.0 MB file 39"
    assert len(lines) == 10
