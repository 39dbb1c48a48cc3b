"""What the tests of every room share."""

import os
import tempfile
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real-archive",
        default=os.environ.get("MODALITY_REAL_ARCHIVE"),
        help="a folder archive of real images; by default MODALITY_REAL_ARCHIVE, else ../shared/real_archive",
    )


def pytest_configure() -> None:
    # Dagster fixes the partitions from the data root's settings as the assets are imported; tests must not see a
    # developer's own root.
    os.environ["MODALITY_DATA"] = str(Path(tempfile.gettempdir()) / "modality-tests-have-no-root")
    os.environ.pop("MODALITY_ARCHIVE", None)


@pytest.fixture(scope="session")
def real_archive(request: pytest.FixtureRequest) -> Path:
    """The folder of real images, or a visible skip where there is none."""
    named = request.config.getoption("--real-archive")
    path = Path(named) if named else request.config.rootpath.parent / "shared" / "real_archive"
    if not (path / "datasets.csv").is_file():
        if named:
            raise pytest.UsageError(f"--real-archive {path}: there is no datasets.csv in it")
        pytest.skip("no folder of real images: name one with --real-archive or MODALITY_REAL_ARCHIVE")
    return path.resolve()
