"""From one state of a small archive to the next, by the sensor's decisions and real runs."""

import json
import shutil
import time
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from PIL import Image

from modality_assets.definitions import defs
from modality_assets.defs.assets.rescaled_shards import required_datasets
from modality_assets.defs.attempts import run_error
from modality_assets.defs.automation import Seen, look, run_request
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.steps import STEPS, cohort_datasets
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import read_manifest
from modality_assets.refresh.record import latest_refresh, read_refresh, read_set_aside

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MODEL = "resnet18|image_range"
SETTINGS = {"image_size": 32, "epochs": 1, "workers": 1, "max_quarantine_share": 0.2, "retrain": "never"}


class Service:
    """The daemon in one process: looks, does what is asked for, and looks again. Minutes pass between looks."""

    def __init__(self, workspace: Workspace, instance: dg.DagsterInstance) -> None:
        self.workspace, self.instance = workspace, instance
        self.seen, self.now = Seen(), time.time()
        self.ran: list[tuple[str, str]] = []
        self.failed: list[str] = []

    def look(self):
        self.now += 200
        return look(self.workspace, self.instance, self.seen, self.now).start

    def run(self, job: str, partition: str = "", tags: dict[str, str] | None = None) -> bool:
        self.ran.append((job, partition))
        self.instance.add_dynamic_partitions(dataset_partitions.name, cohort_datasets(self.workspace))
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=partition or None,
            tags=tags,
            raise_on_error=False,
            run_config=QUIET | {"resources": {"workspace": {"config": self.workspace.model_dump()}}},
        )
        self.failed += [] if result.success else [run_error(self.instance, result.run_id) or job]
        return result.success

    def until_nothing_is_asked(self) -> list[tuple[str, str]]:
        """Return the (job, partition) of every run that this took."""
        before = len(self.ran)
        while starts := self.look():
            for start in starts:
                request = run_request(start)
                assert self.run(request.job_name, start.work.partition, request.tags), self.failed
        return self.ran[before:]


def add_dataset(archive: Path, name: str, modality: str, *, seed: int = 3) -> None:
    generator = np.random.default_rng(seed)
    files = archive / name / modality
    files.mkdir(parents=True)
    for number in range(6):
        Image.fromarray(generator.integers(0, 255, (32, 32), np.uint8)).save(files / f"{number}.png")
    with (archive / "datasets.csv").open("a") as table:
        table.write(f"{name},{modality},chest,CC0\n")


def withdraw_dataset(archive: Path, name: str) -> None:
    shutil.rmtree(archive / name)
    for table in (archive / "datasets.csv", archive / "split.csv"):
        lines = table.read_text().splitlines()
        table.write_text("\n".join(line for line in lines if not line.startswith(f"{name},")) + "\n")


def shard_hashes(workspace: Workspace) -> dict[str, str]:
    return {
        f"{folder.parent.name}|{folder.name}": read_manifest(folder).content_hash
        for folder in workspace.layout.shard_folders
    }


@pytest.fixture(scope="module")
def served(picture_archive, tmp_path_factory):
    """A service that has brought a first state of its archive, and one model, up to date."""
    archive = tmp_path_factory.mktemp("archive") / "pictures"
    shutil.copytree(picture_archive, archive)
    root = tmp_path_factory.mktemp("served")
    workspace = Workspace(archive=f"folder:{archive}", data=str(root), changes=SETTINGS)
    with dg.DagsterInstance.ephemeral() as instance:
        service = Service(workspace, instance)
        first = service.until_nothing_is_asked()
        assert service.run("retrain_model", MODEL)
        service.until_nothing_is_asked()
        yield service, archive, first


@pytest.fixture(scope="module")
def refreshed(served):
    """The same after a release that brings one dataset, revises one and withdraws one."""
    service, archive, _ = served
    before = {
        "shards": shard_hashes(service.workspace),
        "plan": dict(pl.read_parquet(service.workspace.layout.split_table()).select("dataset", "split").iter_rows()),
        "report": read_manifest(service.workspace.layout.report("resnet18", "image_range")),
    }
    add_dataset(archive, "newcomer", "CT")
    (archive / "train-b" / "PT" / "0.png").write_bytes((archive / "train-b" / "PT" / "1.png").read_bytes())
    withdraw_dataset(archive, "test-b")
    return service, before, service.until_nothing_is_asked()


def test_at_first_each_dataset_is_fetched_once_and_each_split_written_once(served):
    _, _, first = served
    assert first[0] == ("refresh_catalogue", "")
    fetched = [partition for job, partition in first if job == "fetch_dataset"]
    assert sorted(fetched) == ["test-a", "test-b", "train-a", "train-b", "validate-a", "validate-b"]
    shards = [partition for job, partition in first if job == "rewrite_shards"]
    assert len(shards) == len(set(shards)) == len(STEPS[5].keys(served[0].workspace))
    assert "retrain_model" not in {job for job, _ in first}


def test_only_what_a_release_affects_runs(refreshed):
    service, before, ran = refreshed
    assert sorted(partition for job, partition in ran if job == "fetch_dataset") == ["newcomer", "train-b"]
    split = dict(pl.read_parquet(service.workspace.layout.split_table()).select("dataset", "split").iter_rows())[
        "newcomer"
    ]
    affected = {"train", "test", split}
    rewritten = {partition for job, partition in ran if job == "rewrite_shards"}
    assert rewritten == {key for key in before["shards"] if key.split("|")[1] in affected}
    after = shard_hashes(service.workspace)
    assert {key for key in after if after[key] != before["shards"][key]} == rewritten
    assert len(ran) == len(set(ran))


def test_assigned_datasets_never_move_and_the_withdrawn_one_keeps_its_place(refreshed):
    service, before, _ = refreshed
    after = dict(pl.read_parquet(service.workspace.layout.split_table()).select("dataset", "split").iter_rows())
    assert {name: after[name] for name in before["plan"]} == before["plan"]
    assert set(after) - set(before["plan"]) == {"newcomer"}


def test_a_withdrawn_dataset_stays_on_disk_out_of_the_shards_and_is_named_in_the_report(refreshed):
    service, _, _ = refreshed
    layout = service.workspace.layout
    assert read_manifest(layout.decoded("test-b")) is not None
    assert "test-b" not in required_datasets(service.workspace, "test")
    index = json.loads((layout.shards("image_range", "test") / "index.json").read_text())
    assert index["datasets"] == ["test-a"]
    metrics = json.loads((layout.report("resnet18", "image_range") / "metrics.json").read_text())
    assert metrics["model"]["retired_datasets"] == ["test-b"]


def test_the_record_says_what_came_what_ran_and_what_became_stale(refreshed):
    service, _, ran = refreshed
    record = latest_refresh(service.workspace.layout)
    assert (record.number, record.state) == (2, "done")
    assert record.named("new") == ["newcomer"]
    assert record.named("revised") == ["train-b"]
    assert record.named("withdrawn") == ["test-b"]
    assert record.retired == ("test-b",)
    assert sorted((row.job, row.partition) for row in record.work) == sorted(ran[1:])
    assert {row.state for row in record.work} == {"done"}
    assert all(row.run_id and row.attempts == 1 for row in record.work)
    assert {f"{row.rescaling}|{row.split}" for row in record.splits if row.rewritten} == {
        partition for job, partition in ran if job == "rewrite_shards"
    }
    outcome = {f"{row.architecture}|{row.rescaling}": row.outcome for row in record.models}
    assert outcome[MODEL] == "stale"
    assert read_refresh(service.workspace.layout, 1).to_release == record.from_release


def test_a_model_left_stale_is_judged_on_the_new_shards_and_its_old_report_is_kept(refreshed):
    service, before, ran = refreshed
    assert ("renew_report", MODEL) in ran
    layout = service.workspace.layout
    model = read_manifest(layout.model("resnet18", "image_range"))
    kept = layout.version("resnet18", "image_range", model.input_hash) / "report"
    assert read_manifest(kept) == before["report"]


@pytest.fixture
def copied(refreshed, tmp_path):
    """A copy of the refreshed root for one test, with other settings."""
    service, _, _ = refreshed

    def copy(instance: dg.DagsterInstance, **changes: object) -> Service:
        root = tmp_path / "copy"
        shutil.copytree(service.workspace.layout.root, root)
        workspace = Workspace(archive=service.workspace.archive, data=str(root), changes=SETTINGS | changes)
        return Service(workspace, instance)

    return copy


def test_a_worse_model_does_not_replace_the_old_one_and_is_not_trained_again(copied, instance):
    service = copied(instance, promotion_margin=1.0, retrain="on_release")
    layout = service.workspace.layout
    before = read_manifest(layout.model("resnet18", "image_range"))
    assert service.run("retrain_model", MODEL), service.failed
    assert read_manifest(layout.model("resnet18", "image_range")) == before
    (decision,) = (json.loads(path.read_text()) for path in layout.root.glob("versions/*/*/*/promotion.json"))
    assert decision["promoted"] is False
    assert decision["margin"] == 1.0
    model, report = (
        next(step for step in STEPS if step.asset == name) for name in ("trained_model", "evaluation_report")
    )
    assert model.is_fresh(service.workspace, MODEL)
    assert report.is_fresh(service.workspace, MODEL)
    assert ("retrain_model", MODEL) not in [(start.work.job, start.work.partition) for start in service.look()]


def test_a_promoted_model_brings_its_report_and_the_change_per_dataset_and_the_old_one_is_kept(copied, instance):
    service = copied(instance, promotion_margin=-1.0, retrain_from="previous")
    layout = service.workspace.layout
    old = read_manifest(layout.model("resnet18", "image_range"))
    assert service.run("retrain_model", MODEL), service.failed
    new = read_manifest(layout.model("resnet18", "image_range"))
    assert new.input_hash != old.input_hash
    assert new.counts["started_from"] == old.content_hash[:16]
    assert read_manifest(layout.version("resnet18", "image_range", old.input_hash) / "model") == old
    version = layout.version("resnet18", "image_range", new.input_hash)
    assert read_manifest(version / "report") == read_manifest(layout.report("resnet18", "image_range"))
    change = pl.read_parquet(version / "change_per_dataset.parquet")
    newcomer = change.filter(dataset="newcomer").row(0, named=True)
    assert newcomer["images_then"] is None
    assert newcomer["accuracy_before"] is not None
    assert newcomer["accuracy_after"] is not None
    gone = change.filter(dataset="test-b").row(0, named=True)
    assert gone["images"] is None
    assert gone["images_then"] == 6
    assert not list(layout.root.rglob(".staging-*"))


def test_a_dataset_that_cannot_be_fetched_is_tried_again_then_named_and_holds_up_nothing(
    picture_archive, tmp_path, instance
):
    archive = tmp_path / "pictures"
    shutil.copytree(picture_archive, archive)
    workspace = Workspace(archive=f"folder:{archive}", data=str(tmp_path / "root"), changes=SETTINGS)
    service = Service(workspace, instance)
    assert service.run("refresh_catalogue")
    blocked = workspace.layout.source_files("train-b")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder must be")
    for _ in range(12):
        for start in service.look():
            request = run_request(start)
            service.run(request.job_name, start.work.partition, request.tags)
    tries = [partition for job, partition in service.ran if job == "fetch_dataset"].count("train-b")
    assert 3 <= tries < 10
    aside = read_set_aside(workspace.layout)
    assert list(aside) == ["train-b"]
    assert "train-b" in aside["train-b"].error
    record = latest_refresh(workspace.layout)
    assert record.state == "done"
    assert [(row.partition, row.state) for row in record.work if row.state != "done"] == [("train-b", "set aside")]
    index = json.loads((workspace.layout.shards("image_range", "train") / "index.json").read_text())
    assert index["datasets"] == ["train-a"]

    blocked.unlink()
    assert service.run("fetch_dataset", "train-b")
    assert ("rewrite_shards", "image_range|train") in service.until_nothing_is_asked()
    assert read_set_aside(workspace.layout) == {}
    index = json.loads((workspace.layout.shards("image_range", "train") / "index.json").read_text())
    assert index["datasets"] == ["train-a", "train-b"]
