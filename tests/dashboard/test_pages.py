"""Every page, run by Streamlit's own harness: on whole results, on none, on parts of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.results import Results
from modality_assets.layout import DataLayout
from modality_assets.modality import CLASSES

PAGES = ("overview", "archive", "split", "models", "per_dataset", "errors", "try_it", "quality")
WITH_FIGURES = tuple(page for page in PAGES if page != "try_it")
OpenPage = Callable[..., AppTest]


def texts(app: AppTest) -> str:
    """Everything written on the page."""
    parts = [*app.markdown, *app.caption, *app.info, *app.success, *app.warning, *app.error, *app.title, *app.subheader]
    return "\n".join(str(part.value) for part in parts)


def charts(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


@pytest.mark.parametrize("page", WITH_FIGURES)
def test_a_page_shows_whole_results_without_an_error(page: str, made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, page)
    assert not app.exception
    assert not app.error
    assert "Nothing to show yet" not in texts(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_labels_synthetic_data(page: str, made_up: DataLayout, open_page: OpenPage) -> None:
    assert any("Synthetic phantoms" in one.value for one in open_page(made_up.root, page).warning)


def test_the_first_figure_of_a_visit_has_a_head_start_and_no_other(
    made_up: DataLayout, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[float] = []
    monkeypatch.setattr("dashboard.exhibits.sleep", shown.append)
    app = open_page(made_up.root, "models")
    assert charts(app) > 1
    assert len(shown) == 1
    app.switch_page("views/errors.py").run()
    assert charts(app) > 1
    assert len(shown) == 1


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
    shown = [one.value for one in app.markdown if "** → **" in one.value]
    assert shown
    assert all(one.startswith("**CT**") for one in shown)


def test_a_search_finds_series_by_every_word(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "archive", search="made-up-003 scout")
    assert app.dataframe[-1].value.empty
    app = open_page(made_up.root, "archive", search="made-up-003 Made Up")
    assert set(app.dataframe[-1].value["dataset"]) == {"made-up-003"}


def test_what_the_last_refresh_brought_is_named(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root)
    said = texts(app)
    assert "Since the last refresh: 1 new dataset, 1 revised" in said
    assert "**1 dataset new:** made-up-008" in said
    assert "validate 80.0 % → 90.0 %" in said
    assert "change-per-dataset" in [button.key.removeprefix("csv-") for button in app.get("download_button")]


def test_before_any_refresh_the_newest_release_is_set_against_those_before(
    made_up: DataLayout, tmp_path: Path, open_page: OpenPage
) -> None:
    shutil.copytree(made_up.root, tmp_path / "root", ignore=shutil.ignore_patterns("refresh", "versions"))
    said = texts(open_page(tmp_path / "root"))
    assert "With the newest release, 2026-08-01: 1 new dataset" in said
    assert "**1 dataset new:** made-up-008" in said


def test_the_worst_dataset_of_the_best_model_is_named_at_once(made_up: DataLayout, open_page: OpenPage) -> None:
    best = Results(made_up).models.main()[0]
    rows = Results(made_up).models.per_dataset(best).filter(pl.col("split") == "test").sort("accuracy")
    said = texts(open_page(made_up.root))
    assert f"Its worst dataset: {rows['dataset'][0]}, {rows['modality'][0]}" in said


def test_how_a_class_is_confused_is_said_in_words(made_up: DataLayout, open_page: OpenPage) -> None:
    said = texts(open_page(made_up.root, "errors"))
    assert "is confused most" in said
    for name in CLASSES:
        assert f"**{name}**: " in said


def test_models_are_held_to_trivial_baselines_and_to_the_probe(made_up: DataLayout, open_page: OpenPage) -> None:
    said = texts(open_page(made_up.root, "models"))
    assert "beats the best baseline: four numbers of the native intensities, 55 %" in said
    assert "Up to 43 % of what could give a dataset away is in the features" in said


def test_a_study_over_seeds_is_shown_by_the_measure_that_the_address_names(
    made_up: DataLayout, open_page: OpenPage
) -> None:
    app = open_page(made_up.root, "models", **{"study": "ingredients", "study-measure": "balanced_accuracy"})
    assert "a mark for each seed" in texts(app)
    assert [box.value for box in app.selectbox if box.label == "Measure"] == ["accuracy", "balanced_accuracy"]
    assert any(
        "robust without label smoothing" in set(one.value["recipe"]) for one in app.dataframe if "recipe" in one.value
    )


def test_published_figures_stand_beside_ours_where_a_dataset_has_some(made_up: DataLayout, open_page: OpenPage) -> None:
    shown = open_page(made_up.root, "per_dataset", split="train").dataframe[0].value
    assert shown["published"].notna().sum() > 0
    said = texts(open_page(made_up.root, "split"))
    assert "of 2 datasets of the published split are in the same part of ours" in said


def test_a_table_is_filtered_by_words_and_the_address_says_so(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "archive")
    app.text_input(key="filter-datasets").set_value("made-up-003").run()
    assert app.query_params["filter-datasets"] in ("made-up-003", ["made-up-003"])
    (shown,) = [table.value for table in app.dataframe if "doi" in table.value]
    assert list(shown["dataset"]) == ["made-up-003"]


def test_without_a_model_that_can_be_asked_the_asset_is_named(made_up: DataLayout, open_page: OpenPage) -> None:
    assert any("`trained_model`" in one.value for one in open_page(made_up.root, "try_it").info)


def test_the_gallery_turns_pages_and_forgets_them_with_other_filters(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", model="resnet18.dtype_range", split="train")
    assert "**1 to 24 of" in texts(app)
    app.number_input(key="gallery-page").set_value(2).run()
    assert "**25 to " in texts(app)
    first = {one.value for one in app.markdown if "** → **" in one.value}
    assert first


def test_an_image_is_opened_by_the_address(made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", image="3")
    assert not app.exception
    assert any(one.value.startswith("#### ") and "sure" in one.value for one in app.markdown)


@pytest.mark.parametrize("row", ["-1", "99999999", "x", "1" * 40])
def test_an_address_of_no_image_is_no_error(row: str, made_up: DataLayout, open_page: OpenPage) -> None:
    app = open_page(made_up.root, "errors", image=row)
    assert not app.exception
    assert not app.error
