"""A folder archive of made-up pictures, small enough to run the whole graph on."""

import csv
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from modality_assets.defs.workspace import Workspace
from modality_assets.modality import CLASSES, SPLITS

SIZE = 32
PICTURES = 6


def draw(label: int, generator: np.random.Generator) -> np.ndarray:
    """Return a picture (SIZE, SIZE) uint8 whose stripes tell its class."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    stripes = np.sin((rows if label % 2 else columns) * (0.4 if label < 2 else 1.2))
    return (127 + 90 * stripes + generator.normal(0, 10, (SIZE, SIZE))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
def workspace(pictures: Path, tmp_path: Path) -> Workspace:
    """A fresh data root on the pictures, with settings that train in seconds."""
    changes = {"image_size": SIZE, "epochs": 1, "workers": 1, "max_quarantine_share": 0.2}
    return Workspace(archive=f"folder:{pictures}", data=str(tmp_path / "root"), changes=changes)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def changed(workspace: Workspace):
    """A function that returns the same workspace with other settings, or another data root."""

    def with_changes(data: str = workspace.data, **settings: object) -> Workspace:
        return Workspace(archive=workspace.archive, data=data, changes=workspace.changes | settings)

    return with_changes
