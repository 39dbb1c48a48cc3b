"""Made-up results for the pages, and the app that shows them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.made_up_results import Size, make_up_results
from dashboard.results import Results
from modality_assets.layout import DataLayout

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> DataLayout:
    """A whole data root that no test may change."""
    return make_up_results(tmp_path_factory.mktemp("made-up"), Size(predictions=1_200, datasets=9, models=2))


@pytest.fixture
def results(made_up: DataLayout) -> Results:
    return Results(made_up)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the app on a data root, with query parameters."""

    def opened(root: Path, page: str = "overview", **parameters: str) -> AppTest:
        monkeypatch.setenv("MODALITY_DATA", str(root))
        monkeypatch.setenv("MODALITY_ARCHIVE", "replica")
        monkeypatch.setenv("MODALITY_DAGSTER_URL", "http://127.0.0.1:9")
        monkeypatch.setattr("dashboard.exhibits.HEAD_START_SECONDS", 0)  # no browser draws here
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page != "overview":
            app.switch_page(f"views/{page}.py")
        return app.run()

    return opened


@pytest.fixture(scope="session")
def with_network(tmp_path_factory: pytest.TempPathFactory) -> DataLayout:
    """Made-up results whose best model can be asked: a network with the weights that it was born with."""
    import torch

    from modality_assets.learning import architectures
    from modality_assets.learning.model_files import InputContract, TrainingResult, write_model
    from modality_assets.prediction.calibration import Calibration

    layout = make_up_results(tmp_path_factory.mktemp("with-network"), Size(predictions=1_200, datasets=9, models=2))
    torch.manual_seed(0)
    for rescaling in ("image_range", "dtype_range"):
        folder = layout.model("resnet18", rescaling)
        network = architectures.build("resnet18")
        contract = InputContract(32, 32, rescaling, 0.0, 1.0)
        write_model(TrainingResult("resnet18", contract, network.state_dict(), {}, []), folder)
        Calibration().save(folder)
    return layout


SCREENSHOTS = Path(os.environ.get("MODALITY_SCREENSHOTS", "screenshots")).absolute()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the pictures of the pages lie, whatever became of the tests."""
    if SCREENSHOTS.is_dir() and (pictures := [*SCREENSHOTS.glob("*.png")]):
        terminalreporter.write_line(f"{len(pictures)} screenshots of the dashboard: {SCREENSHOTS}")
