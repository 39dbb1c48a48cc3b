"""The whole graph on a real instance, as `modality demo` runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import dagster as dg
import polars as pl
import pytest

from modality_assets.definitions import defs
from modality_assets.defs.checks import beats_trivial_baselines, every_image_of_every_split_is_predicted
from modality_assets.defs.everything import (
    AlreadyRunningError,
    MaterialisationError,
    UnknownAssetError,
    materialise_here,
    run_everything,
)
from modality_assets.defs.instance import open_instance
from modality_assets.defs.steps import STEPS
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import read_manifest
from modality_assets.modality import SPLITS

MODELS = "trained_model"
PREPARING = ["collection_catalogue", "cohort", "split_plan", "source_files", "decoded_images", "rescaled_shards"]

RUN = """
import sys
from modality_assets.definitions import defs
from modality_assets.defs.everything import run_everything
from modality_assets.defs.workspace import Workspace

run_everything(defs, Workspace.model_validate_json(sys.argv[1]), sys.argv[2].split(","))
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards: open_instance sets it


@pytest.fixture(scope="module")
def finished(picture_archive, tmp_path_factory):
    """A data root on which everything was materialised once."""
    root = tmp_path_factory.mktemp("finished")
    changes = {"image_size": 32, "epochs": 1, "workers": 1, "architectures": ["resnet18", "efficientnet_lite0"]}
    workspace = Workspace(archive=f"folder:{picture_archive}", data=str(root), changes=changes)
    before = os.environ.get("DAGSTER_HOME")
    made, fresh = run_everything(defs, workspace)
    os.environ.pop("DAGSTER_HOME", None) if before is None else os.environ.__setitem__("DAGSTER_HOME", before)
    assert fresh == 0
    return workspace, made


def test_every_partition_of_every_asset_is_made_and_recorded(finished):
    workspace, made = finished
    pairs = [(step, key) for step in STEPS for key in step.keys(workspace)]
    assert [(step.asset, key) for step, key in pairs if not step.is_fresh(workspace, key)] == []
    with open_instance(workspace.layout) as instance:
        for step, key in pairs:
            asset = dg.AssetKey(step.asset)
            if key is None:
                assert instance.get_latest_materialization_event(asset), step.asset
            else:
                assert key in instance.get_materialized_partitions(asset), (step.asset, key)
    assert made == len(pairs)


def test_the_second_time_everything_is_found_fresh(finished):
    workspace, made = finished
    assert run_everything(defs, workspace) == (0, made)


def test_the_comparison_has_our_models_on_every_split_and_the_published_figures(finished):
    table = pl.read_parquet(finished[0].layout.comparison_table)
    ours = table.filter(source="ours", study="main")
    assert set(ours["split"]) == set(SPLITS)
    assert set(ours.select(pl.concat_str("architecture", "rescaling", separator="|")).to_series()) == {
        f"{architecture}|{rescaling}"
        for architecture in ("resnet18", "efficientnet_lite0")
        for rescaling in ("image_range", "dtype_range")
    }
    published = table.filter(source="published", architecture="resnet18", split="test")
    assert published.filter(rescaling="image_range")["accuracy"].to_list() == [pytest.approx(0.95)]
    assert published.filter(rescaling="dtype_range").is_empty()
    assert published.filter(rescaling="dtype_range_published")["accuracy"].to_list() == [pytest.approx(0.52)]


def test_a_trial_with_the_inputs_of_a_model_does_not_train_again(finished):
    layout = finished[0].layout
    same = read_manifest(layout.experiment("rescaling", "image_range"))
    other = read_manifest(layout.experiment("rescaling", "dtype_range_published"))
    assert same.counts["trained_anew"] is False
    assert other.counts["trained_anew"] is True
    model = read_manifest(layout.model("resnet18", "image_range"))
    assert same.files["weights.safetensors"] == model.files["weights.safetensors"]


def test_a_baseline_leaves_the_report_of_a_model_and_stands_in_the_comparison(finished):
    layout = finished[0].layout
    folder = layout.experiment("baselines", "native_statistics")
    model = pl.read_parquet(layout.report("resnet18", "image_range") / "predictions.parquet").filter(evidence="pixels")
    table = pl.read_parquet(folder / "predictions.parquet")
    assert table.schema == model.schema
    keys = ["split", "dataset", "source_file", "frame"]
    assert table.select(keys).sort(keys).equals(model.select(keys).sort(keys)), "judged on the very same images"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics["evidence"]["native_statistics"]) == set(SPLITS)
    rows = pl.read_parquet(layout.comparison_table).filter(source="ours", study="baselines", split="test")
    assert set(rows["architecture"]) == {"majority", "native_statistics", "size_and_bits"}
    assert rows.filter(architecture="majority")["balanced_accuracy"].item() == pytest.approx(0.25)


def test_a_probe_leaves_its_figures_beside_chance_and_an_untrained_network(finished):
    layout = finished[0].layout
    metrics = json.loads((layout.experiment("probe", "resnet18-image_range") / "metrics.json").read_text())
    assert metrics["probe"]["datasets"] == 6
    assert metrics["probe"]["chance"] == pytest.approx(1 / 6)
    assert set(metrics["probe"]["per_dataset"]) == set(metrics["untrained"]["per_dataset"])
    probes = pl.read_parquet(layout.probes_table)
    assert probes.height == 4
    assert probes.filter(trial="resnet18-image_range")["accuracy"].item() == metrics["probe"]["accuracy"]


def test_models_are_held_to_every_trivial_baseline(finished, tmp_path):
    workspace, _ = finished
    found = beats_trivial_baselines(workspace)
    table = found.metadata["test"].value
    for name in ("resnet18|image_range", "efficientnet_lite0|dtype_range"):
        assert name.replace("|", "/") in table
    lines = [line for line in table.splitlines() if "size_and_bits" in line]
    assert len(lines) == 4
    without = Workspace(archive=workspace.archive, data=str(tmp_path), changes=workspace.changes)
    missing = beats_trivial_baselines(without)
    assert not missing.passed
    assert "baselines.majority" in missing.metadata["not_made_yet"].value


def test_every_check_is_evaluated_and_only_what_the_data_do_not_allow_warns(finished):
    workspace, _ = finished
    with open_instance(workspace.layout) as instance:
        for key in defs.resolve_asset_graph().asset_check_keys:
            record = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
            assert record, key
            evaluation = record[0].event.dagster_event.asset_check_evaluation_data
            assert evaluation.passed or evaluation.severity.value == "WARN", (key, evaluation.metadata)


def test_a_changed_setting_makes_only_what_depends_on_it_stale(finished):
    workspace, _ = finished
    longer = Workspace(archive=workspace.archive, data=workspace.data, changes=workspace.changes | {"epochs": 2})
    stale = {step.asset for step in STEPS for key in step.keys(longer) if not step.is_fresh(longer, key)}
    assert stale == {"trained_model", "study_trial"}


def test_an_unknown_asset_is_named_with_those_there_are(workspace):
    with pytest.raises(UnknownAssetError, match="rescaled_shards"):
        run_everything(defs, workspace, ["rescaled_chards"])


def test_a_failing_dataset_is_named_and_does_not_stop_the_others(workspace):
    run_everything(defs, workspace, ["collection_catalogue", "cohort", "split_plan"])
    blocked = workspace.layout.source_files("test-a")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder must be")
    with pytest.raises(MaterialisationError, match=r"source_files \[test-a\]"):
        run_everything(defs, workspace, ["source_files"])
    assert read_manifest(workspace.layout.source_files("validate-b")) is not None


def test_two_commands_do_not_work_on_one_root_at_a_time(workspace):
    import fcntl

    workspace.layout.root.mkdir(parents=True)
    with workspace.layout.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunningError, match="--data"):
            run_everything(defs, workspace)


@pytest.mark.parametrize("after_seconds", [3, 6])
def test_killed_at_any_point_and_run_again_it_ends_with_the_same_results(workspace, finished, after_seconds):
    options = {"start_new_session": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-W", "ignore", "-c", RUN, workspace.model_dump_json(), ",".join(PREPARING)]
    process = subprocess.Popen(command, **options)
    time.sleep(after_seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    run_everything(defs, workspace, PREPARING)

    undisturbed = finished[0].layout.root
    for folder in workspace.layout.shard_folders:
        twin = undisturbed / folder.relative_to(workspace.layout.root)
        assert read_manifest(folder).content_hash == read_manifest(twin).content_hash
    assert not list(workspace.layout.root.rglob(".staging-*"))


def test_images_of_another_size_train_anew_where_a_training_of_the_former_size_has_finished(workspace):
    one_model = {"architectures": ["resnet18"], "rescalings": ["image_range"]}
    for size in (16, 24):
        changed = workspace.model_copy(update={"changes": workspace.changes | one_model | {"image_size": size}})
        run_everything(defs, changed, [*PREPARING, MODELS])
        config = json.loads((workspace.layout.model("resnet18", "image_range") / "config.json").read_text())
        assert config["input"]["height"] == size


def test_a_signal_during_a_training_ends_the_command_after_its_checkpoint(workspace):
    endless = workspace.model_copy(update={"changes": workspace.changes | {"epochs": 10_000}})
    command = [sys.executable, "-W", "ignore", "-c", RUN, endless.model_dump_json(), ",".join([*PREPARING, MODELS])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        models = workspace.layout.model("resnet18", "image_range").parent
        give_up = time.monotonic() + 120
        while not list(models.glob("*/checkpoint/*")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < give_up
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.wait()
    assert len(list(models.glob("*/checkpoint"))) == 1, "the next partition was begun"


def test_a_signal_during_any_other_step_ends_the_command(workspace):
    begun = []

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["first", "second"]))
    def steps(context: dg.AssetExecutionContext) -> None:
        begun.append(context.partition_key)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)

    definitions = dg.Definitions(assets=[steps], resources={"workspace": workspace})
    with open_instance(workspace.layout) as instance, pytest.raises(KeyboardInterrupt):
        materialise_here(definitions, instance, workspace, "steps", ["first", "second"])
    assert begun == ["first"]


def test_a_report_that_lacks_a_whole_split_fails_its_check(finished, tmp_path):
    workspace, _ = finished
    root = tmp_path / "root"
    shutil.copytree(workspace.layout.root, root, ignore=shutil.ignore_patterns("dagster", "source_files", "checkpoint"))
    lacking = Workspace(archive=workspace.archive, data=str(root), changes=workspace.changes)
    assert every_image_of_every_split_is_predicted(lacking).passed
    folder = lacking.layout.report("resnet18", "image_range")
    predictions = pl.read_parquet(folder / "predictions.parquet").filter(pl.col("split") != "test")
    predictions.write_parquet(folder / "predictions.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["predictions.parquet"]["bytes"] = (folder / "predictions.parquet").stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = every_image_of_every_split_is_predicted(lacking)
    assert not result.passed
    assert "resnet18|image_range, test" in result.metadata["differences"].value
