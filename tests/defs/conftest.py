"""A data root on made-up pictures, small enough to run the whole graph on."""

from pathlib import Path

import dagster as dg
import pytest

from modality_assets.defs.workspace import Workspace

SIZE = 32


@pytest.fixture
def workspace(picture_archive: Path, tmp_path: Path) -> Workspace:
    """A fresh data root on the pictures, with settings that train in seconds."""
    changes = {"image_size": SIZE, "epochs": 1, "workers": 1, "max_quarantine_share": 0.2}
    return Workspace(archive=f"folder:{picture_archive}", data=str(tmp_path / "root"), changes=changes)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def changed(workspace: Workspace):
    """A function that returns the same workspace with other settings, or another data root."""

    def with_changes(data: str = workspace.data, **settings: object) -> Workspace:
        return Workspace(archive=workspace.archive, data=data, changes=workspace.changes | settings)

    return with_changes
