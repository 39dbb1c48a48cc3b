"""A person's way through the dashboard in a real browser: Debian's Chromium, driven by Playwright.

Screenshots of every page go to ./screenshots, or the folder that MODALITY_SCREENSHOTS names.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from modality_assets.layout import DataLayout
from tests.dashboard.conftest import SCREENSHOTS
from tests.dashboard.serving import served

CHROMIUM = Path(os.environ.get("MODALITY_CHROMIUM", "/usr/bin/chromium"))
PAGES = ("overview", "models", "per_dataset", "errors", "try_it", "archive", "split", "quality")
_FOR_CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_PROBES = "/_stcore/"
"""Streamlit's client finds its server by asking below the page's own path first; those answers of 404 are no errors."""

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def address(with_network: DataLayout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(with_network.root, tmp_path_factory.mktemp("streamlit") / "log") as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install .[dev]")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}: install Debian's chromium, or name one with MODALITY_CHROMIUM")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=_FOR_CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab that fails its test where page or console report an error."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{said.text} {said.location}")
            if said.type == "error" and _PROBES not in said.location.get("url", "")
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def screenshots() -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


def go(tab: Any, address: str, page: str, query: str = "") -> None:
    tab.goto(f"{address}/{'' if page == 'overview' else page}{query}")
    settle(tab)


def settle(tab: Any) -> None:
    """Wait until the page's script has run, and everything it shows is drawn."""
    tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    tab.wait_for_selector("[data-testid=stMain] h1")
    tab.wait_for_timeout(700)
    tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert tab.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_without_an_error(
    page: str, scheme: str, tab: Any, address: str, screenshots: Path
) -> None:
    tab.emulate_media(color_scheme=scheme)
    go(tab, address, page)
    if page != "try_it":
        tab.wait_for_selector("[data-testid=stPlotlyChart] .main-svg")
    assert tab.get_by_text("Synthetic phantoms").count() >= 1
    wide = tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert wide, "the page is wider than the window"
    high = tab.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    tab.set_viewport_size({"width": 1400, "height": min(high + 40, 6000)})
    tab.wait_for_timeout(500)
    tab.screenshot(path=str(screenshots / f"{page}-{scheme}.png"))


def test_a_click_on_a_dataset_opens_its_confusion_matrix_and_images(tab: Any, address: str, screenshots: Path) -> None:
    go(tab, address, "per_dataset", "?split=train")
    table = tab.locator("[data-testid=stDataFrame]").first
    box = table.bounding_box()
    tab.mouse.click(box["x"] + 16, box["y"] + 35 + 17)
    tab.wait_for_selector("h4")
    settle(tab)
    dataset = tab.locator("h4").first.inner_text()
    assert f"dataset={dataset}" in tab.url
    assert tab.locator("[data-testid=stImage] img").count() > 0
    tab.screenshot(path=str(screenshots / "dataset.png"), full_page=True)
    tab.reload()
    settle(tab)
    assert tab.locator("h4").first.inner_text() == dataset


def test_the_model_is_changed_and_the_address_reproduces_the_view(tab: Any, address: str) -> None:
    go(tab, address, "errors")
    before = tab.locator("[data-testid=stMarkdown]", has_text="images are right").first.inner_text()
    tab.locator("[data-testid=stSelectbox]", has_text="Model").locator("input").click()
    tab.get_by_role("option").nth(1).click()
    tab.wait_for_url("**model=resnet18.dtype_range**")
    settle(tab)
    after = tab.locator("[data-testid=stMarkdown]", has_text="images are right").first.inner_text()
    assert after != before
    tab.reload()
    settle(tab)
    again = tab.locator("[data-testid=stMarkdown]", has_text="images are right").first.inner_text()
    assert again == after


def test_a_dicom_file_gets_a_class_and_a_text_file_a_reason(
    tab: Any, address: str, tmp_path: Path, screenshots: Path
) -> None:
    (tmp_path / "notes.txt").write_text("this is no image\n")
    go(tab, address, "try_it")
    tab.locator("input[type=file]").set_input_files([get_testdata_file("CT_small.dcm"), str(tmp_path / "notes.txt")])
    tab.wait_for_selector("[data-testid=stPlotlyChart] .main-svg", timeout=150_000)
    settle(tab)
    refused = tab.locator("[data-testid=stAlert]", has_text="is refused")
    assert refused.count() == 1
    assert "notes.txt" in refused.inner_text()
    assert tab.get_by_text("CT_small.dcm").count() >= 1
    tab.screenshot(path=str(screenshots / "try_it-answer.png"), full_page=True)


def test_an_image_is_opened_with_what_speaks_for_its_class_and_the_address_opens_it_again(
    tab: Any, address: str, screenshots: Path
) -> None:
    go(tab, address, "errors")
    tab.get_by_role("button", name="Look closer").first.click()
    dialog = tab.locator("[role=dialog]")
    dialog.get_by_text("Grad-CAM").wait_for(timeout=150_000)
    assert dialog.locator("[data-testid=stImage] img").count() == 2
    assert "image=" in tab.url
    tab.wait_for_timeout(700)
    tab.screenshot(path=str(screenshots / "image.png"))
    tab.reload()
    tab.locator("[role=dialog]").get_by_text("Grad-CAM").wait_for(timeout=60_000)


def test_filters_of_the_gallery_are_in_the_address(tab: Any, address: str) -> None:
    go(tab, address, "errors", "?split=train")
    tab.locator("[data-testid=stMultiSelect]", has_text="Actual class").locator("input").click()
    tab.get_by_role("option", name="CT", exact=True).click()
    tab.wait_for_url("**actual=CT**")
    settle(tab)
    shown = tab.locator("[data-testid=stMarkdown] p", has_text="→").all_inner_texts()
    assert {text.split(" → ")[0] for text in shown if text[:2] in ("CT", "MR", "PT", "XR")} == {"CT"}


def test_in_a_minute_one_finds_the_worst_dataset_and_what_is_new(tab: Any, address: str) -> None:
    go(tab, address, "overview")
    said = tab.locator("[data-testid=stMain]").inner_text()
    assert "Its worst dataset: made-up-" in said
    assert "Since the last refresh: 1 new dataset" in said
    tab.get_by_text("How classes are confused").click()
    tab.wait_for_url("**/errors**")
    settle(tab)
    assert "is confused most" in tab.locator("[data-testid=stMain]").inner_text()


def test_a_narrow_window_cuts_nothing_off(tab: Any, address: str, screenshots: Path) -> None:
    tab.set_viewport_size({"width": 1000, "height": 1000})
    for page in ("overview", "models", "split"):
        go(tab, address, page)
        wide = tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert wide, f"{page} is wider than the window"
        tab.screenshot(path=str(screenshots / f"{page}-narrow.png"))
