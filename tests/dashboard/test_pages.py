"""Every page, run by Streamlit's own harness: on whole results, on none, on parts of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from modality_assets.layout import DataLayout

PAGES = ("overview", "archive", "split", "models", "per_dataset", "errors", "try_it", "quality")
WITH_FIGURES = tuple(page for page in PAGES if page != "try_it")
OpenPage = Callable[..., AppTest]


def texts(app: AppTest) -> str:
    """Everything written on the page."""
    parts = [*app.markdown, *app.caption, *app.info, *app.success, *app.warning, *app.error, *app.title, *app.subheader]
    return "\n".join(str(part.value) for part in parts)


def charts(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_whole_results_without_an_error(page: str, made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, page)
    assert not app.exception
    assert not app.error
    assert "Nothing to show yet" not in texts(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_labels_synthetic_data(page: str, made_up: DataLayout, open_page: OpenPage) -> None:
    assert any("Synthetic phantoms" in one.value for one in open_page(made_up.root, page).warning)


@pytest.mark.parametrize("page", WITH_FIGURES)
def test_every_figure_says_its_n_and_its_source(page: str, made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, page)
    feet = [one.value for one in app.caption if "Source: " in one.value]
    assert charts(app) > 0
    assert len([foot for foot in feet if ("n = " in foot or "n was" in foot) and "Unit: " in foot]) == charts(app)
    linked = [foot for foot in feet if "manifest of every result" not in foot]
    assert all("http://127.0.0.1:9/assets/" in foot and "materialised" in foot for foot in linked)


@pytest.mark.parametrize("page", WITH_FIGURES)
def test_an_empty_data_root_gets_a_sentence_that_names_the_asset(
    page: str, tmp_path: Path, open_page: OpenPage
) -> None:
    app = open_page(tmp_path, page)
    assert not app.exception
    assert charts(app) == 0
    assert "materialise" in texts(app)


@pytest.mark.parametrize(
    ("missing", "page", "asset"),
    [
        ("catalogue", "archive", "collection_catalogue"),
        ("split", "split", "split_plan"),
        ("reports", "errors", "evaluation_report"),
        ("decoded", "quality", "decoded_images"),
        ("models", "models", "trained_model"),
    ],
)
def test_a_missing_part_is_named_and_the_rest_is_shown(
    missing: str, page: str, asset: str, made_up: DataLayout, tmp_path: Path, open_page: OpenPage
) -> None:
    root = tmp_path / "root"
    shutil.copytree(made_up.root, root, ignore=shutil.ignore_patterns(missing))
    app = open_page(root, page)
    assert not app.exception
    assert any(f"`{asset}`" in one.value for one in app.info)


def test_a_damaged_table_is_an_error_in_its_own_place_only(
    made_up: DataLayout, tmp_path: Path, open_page: OpenPage
) -> None:
    shutil.copytree(made_up.root, tmp_path / "root")
    table = DataLayout(tmp_path / "root").comparison_table
    table.write_bytes(b"x" * table.stat().st_size)
    app = open_page(tmp_path / "root", "models")
    assert not app.exception
    assert any("cannot be read" in one.value for one in app.error)
    assert charts(app) > 0, "the training curves do not need the comparison"


def test_the_address_reproduces_the_view(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", model="resnet18.dtype_range", split="validate")
    chosen = {box.label: box.value for box in app.selectbox}
    assert (chosen["Model"], chosen["Split"]) == ("resnet18.dtype_range", "validate")


def test_a_choice_changes_the_address_and_the_figures(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors")
    before = texts(app)
    app.selectbox(key="choice-split").set_value("train").run()
    assert not app.exception
    assert app.query_params["split"] == "train"
    assert texts(app) != before


def test_an_address_that_names_nothing_real_falls_back(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", model="../../etc", split="<script>", actual="ZZ")
    assert not app.exception
    assert app.selectbox(key="choice-split").value == "test"


def test_the_address_opens_a_dataset(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "per_dataset", dataset="made-up-006")
    assert any("made-up-006" in one.value for one in app.markdown)
    assert charts(app) == 2


def test_two_models_are_compared_dataset_by_dataset(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "per_dataset", other="resnet18.dtype_range")
    shown = app.dataframe[0].value
    assert (shown["accuracy"] - shown["accuracy_other"] - shown["difference"]).abs().max() < 1e-9


def test_the_worst_dataset_stands_first(made_up: DataLayout, open_page: OpenPage) -> None:
    shown = open_page(made_up.root, "per_dataset").dataframe[0].value
    assert shown["accuracy"].is_monotonic_increasing


def test_filters_narrow_the_gallery(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", actual="CT", split="train")
    shown = [one.value for one in app.markdown if "→" in one.value]
    assert shown
    assert all(one.startswith("**CT**") for one in shown)


def test_a_search_finds_series_by_every_word(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "archive", search="made-up-003 scout")
    assert app.dataframe[-1].value.empty
    app = open_page(made_up.root, "archive", search="made-up-003 Made Up")
    assert set(app.dataframe[-1].value["dataset"]) == {"made-up-003"}


def test_the_newest_datasets_are_named(made_up: DataLayout, open_page: OpenPage) -> None:
    said = texts(open_page(made_up.root))
    assert "newest release, **2026-08-01**, brought 1 dataset: made-up-008. 8 were there before" in said
