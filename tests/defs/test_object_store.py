"""The graph on a data root in an object store: the same results as on disk, and seen by other machines."""

import dagster as dg
import pytest

from modality_assets.definitions import defs
from modality_assets.defs.assets.trained_model import trained_model
from modality_assets.defs.everything import run_everything
from modality_assets.defs.steps import STEPS
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import origins, read_manifest

PREPARING = ["collection_catalogue", "cohort", "split_plan", "source_files", "decoded_images", "rescaled_shards"]
ROOT = "s3://results/some/root"

pytestmark = [pytest.mark.s3, pytest.mark.slow]


@pytest.fixture
def seen_from(workspace, results_bucket, tmp_path, monkeypatch):
    """A function that returns the workspace on the object store, as a machine of that name uses it."""

    def machine(name: str) -> Workspace:
        origins.clear()
        monkeypatch.setenv("MODALITY_CACHE", str(tmp_path / name))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards
        return Workspace(archive=workspace.archive, data=ROOT, changes=workspace.changes)

    return machine


def _hashes(workspace: Workspace, assets: list[str]) -> dict[tuple[str, str], str]:
    found = {}
    for step in STEPS:
        for key in step.keys(workspace) if step.asset in assets else []:
            manifest = read_manifest(step.result(workspace, key or "").folder)
            found[step.asset, str(key)] = manifest.content_hash if manifest else ""
    return found


def test_results_are_those_of_a_local_root_and_another_machine_goes_on_from_them(seen_from, workspace, instance):
    run_everything(defs, workspace, PREPARING)
    one = seen_from("one")
    run_everything(defs, one, PREPARING)
    assert _hashes(one, PREPARING) == _hashes(workspace, PREPARING)
    assert "" not in _hashes(one, PREPARING).values()

    two = seen_from("two")
    fresh = {(step.asset, key) for step in STEPS for key in step.keys(two) if step.is_fresh(two, key)}
    assert {(asset, str(key)) for asset, key in fresh} == set(_hashes(one, PREPARING))
    assert not list(two.layout.root.rglob("pixels-*"))  # to know that it is fresh, nobody needs the pixels

    models = {}
    for root in (workspace, two):
        dg.materialize(
            [trained_model], instance=instance, resources={"workspace": root}, partition_key="resnet18|image_range"
        )
        models[root.data] = read_manifest(root.layout.model("resnet18", "image_range")).content_hash
    assert models[ROOT] == models[workspace.data]
    assert read_manifest(seen_from("three").layout.model("resnet18", "image_range")).content_hash == models[ROOT]
