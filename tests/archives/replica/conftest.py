"""A small archive in three releases, made once: a few patients of some phantoms."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from modality_assets.archives.replica.phantoms.datasets import DATASETS
from modality_assets.archives.replica.phantoms.generate import dataset_named, revised_folders, write_patient
from modality_assets.archives.replica.releases import FILES_FOLDER, DatasetRelease, Releases, write_releases
from modality_assets.archives.replica.server import running_server

REVISED = "phantom-glioma-mr"
WITHDRAWN = "phantom-hand-cr"
LATER = "phantom-mammography"


@pytest.fixture(scope="session")
def one_patient_each(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of one patient of every dataset of phantoms."""
    root = tmp_path_factory.mktemp("phantoms")
    for dataset in DATASETS:
        write_patient(dataset.name, 0, root / dataset.name)
    return {dataset.name: root / dataset.name for dataset in DATASETS}


@pytest.fixture(scope="session")
def archive_content(one_patient_each: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    files = root / FILES_FOLDER
    for name in (REVISED, WITHDRAWN, LATER):
        shutil.copytree(one_patient_each[name], files / name / "001")
    uid, before, after = revised_folders(dataset_named(REVISED))
    write_patient(REVISED, 1, files / REVISED / "002")
    licence = {"licence": "CC0 1.0 Universal", "licence_uri": "https://creativecommons.org/publicdomain/zero/1.0/"}
    releases = Releases(
        {"1": "2025-03-03", "2": "2025-09-01", "3": "2026-03-02"},
        {
            REVISED: DatasetRelease(1, title="Brains", description="Synthetic phantoms.", phantom=True, **licence),
            WITHDRAWN: DatasetRelease(1, withdrawn=3, phantom=True, **licence),
            LATER: DatasetRelease(2, phantom=True, **licence),
        },
        {uid: {"1": f"{REVISED}/002/{before}", "3": f"{REVISED}/002/{after}"}},
    )
    write_releases(root, releases)
    return root


@pytest.fixture
def archive(archive_content: Path, tmp_path: Path) -> Path:
    """A folder as the embedded archive has it: three datasets, one of them revised, one withdrawn, one later."""
    return shutil.copytree(archive_content, tmp_path / "archive", copy_function=os.link)


@pytest.fixture
def url(archive: Path) -> Iterator[str]:
    with running_server(archive) as base:
        yield base
