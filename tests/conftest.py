"""What the tests of every room share."""

import csv
import os
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from obstore.store import S3Store
from PIL import Image

from modality_assets.manifest import origins
from modality_assets.modality import CLASSES, SPLITS
from tests.postgres_server import PostgresServer, programs

SIZE = 32
PICTURES = 6


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


def draw(label: int, generator: np.random.Generator) -> np.ndarray:
    """Return a picture (SIZE, SIZE) uint8 whose stripes tell its class."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    stripes = np.sin((rows if label % 2 else columns) * (0.4 if label < 2 else 1.2))
    return (127 + 90 * stripes + generator.normal(0, 10, (SIZE, SIZE))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def picture_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six datasets in three splits, two classes each; one file is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(7)
    described, split = [], []
    for position, name in enumerate(f"{split}-{half}" for split in SPLITS for half in "ab"):
        split.append((name, SPLITS[position // 2]))
        for label in (0, 1) if name.endswith("a") else (2, 3):
            described.append((name, CLASSES[label], ("chest", "brain")[position % 2], "CC0"))
            files = folder / name / CLASSES[label]
            files.mkdir(parents=True)
            for number in range(PICTURES):
                Image.fromarray(draw(label, generator)).save(files / f"{number}.png")
    (folder / "train-a" / "CT" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")
    _write(folder / "datasets.csv", ("dataset", "modality", "body_part", "licence"), described)
    _write(folder / "split.csv", ("dataset", "split"), split)
    return folder


@pytest.fixture
def series_table(picture_archive: Path) -> pl.DataFrame:
    """The decided series of the made-up pictures, as in catalogue/series.parquet."""
    from modality_assets.archives.folder import FolderArchive
    from modality_assets.catalogue.decisions import decide

    archive = FolderArchive(picture_archive)
    return decide(archive.list_series(), archive.list_collections())[0]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def results_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """An empty bucket ``results``, with endpoint and credentials in the environment."""
    for path, method in (("moto-api/reset", "POST"), ("results", "PUT")):
        urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{path}", method=method)).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    before = dict(origins)
    yield S3Store("results", endpoint=s3_server, client_options={"allow_http": True})
    origins.clear()
    origins.update(before)


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of its own, or a visible skip where it is not installed."""
    if programs() is None:
        pytest.skip("no PostgreSQL: install the Debian package postgresql")
    server = PostgresServer()
    yield server
    server.remove()
