"""PostgreSQL as Dagster's storage, and SQLite beside it: four runs at a time, and no lock error."""

import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from modality_assets.definitions import defs
from modality_assets.defs.everything import run_everything
from modality_assets.defs.instance import POSTGRES_POOLS, StorageError, fail_dead_runs, open_instance
from modality_assets.defs.processes import process_tag
from modality_assets.defs.workspace import Workspace
from modality_assets.layout import STORAGE, DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.modality import CLASSES
from tests.conftest import draw

pytestmark = pytest.mark.postgres

AT_ONCE = 4
DATASETS = int(os.environ.get("MODALITY_TEST_DATASETS", "8"))

REFRESH = """
import sys
from modality_assets.definitions import defs
from modality_assets.defs.instance import open_instance
from modality_assets.defs.workspace import Workspace

workspace = Workspace.model_validate_json(sys.argv[1])
with open_instance(workspace.layout) as instance:
    for dataset in sys.argv[2:]:
        defs.get_job_def("fetch_dataset").execute_in_process(
            instance=instance,
            partition_key=dataset,
            run_config={"resources": {"workspace": {"config": workspace.model_dump()}}},
        )
"""


@pytest.fixture
def storage(postgres, monkeypatch, tmp_path):
    """The PostgreSQL in the environment, without anything of the test before."""
    postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    monkeypatch.setenv(STORAGE, postgres.url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards: open_instance sets it
    return postgres


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A folder archive of small datasets."""
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(3)
    rows = []
    for number in range(DATASETS):
        label = number % len(CLASSES)
        rows.append((f"set-{number:03d}", CLASSES[label], "chest", "CC0"))
        files = folder / rows[-1][0] / CLASSES[label]
        files.mkdir(parents=True)
        for name in range(2):
            Image.fromarray(draw(label, generator)).save(files / f"{name}.png")
    with (folder / "datasets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("dataset", "modality", "body_part", "licence"), *rows])
    return folder


def test_the_instance_lies_in_postgres_with_its_pools_and_no_file_holds_the_password(storage, tmp_path):
    layout = DataLayout(tmp_path)
    with open_instance(layout) as instance:
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        assert type(instance.schedule_storage).__name__ == "PostgresScheduleStorage"
        assert {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()} == POSTGRES_POOLS
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert instance.run_launcher.supports_check_run_worker_health
    assert "modality@" not in (layout.dagster_home / "dagster.yaml").read_text()


def test_a_root_goes_from_sqlite_to_postgres_and_back(storage, tmp_path, monkeypatch):
    layout = DataLayout(tmp_path)
    with open_instance(layout) as instance:
        assert "Postgres" in type(instance.run_storage).__name__
    monkeypatch.delenv(STORAGE)
    with open_instance(layout) as instance:
        assert "Sqlite" in type(instance.run_storage).__name__


def test_a_configuration_changed_by_hand_is_left_alone_and_named_where_it_contradicts(storage, tmp_path):
    layout = DataLayout(tmp_path)
    layout.dagster_home.mkdir()
    config = layout.dagster_home / "dagster.yaml"
    config.write_text("telemetry:\n  enabled: false\n")
    with pytest.raises(StorageError, match=r"dagster\.yaml, which was changed by hand"):
        open_instance(layout)
    assert config.read_text() == "telemetry:\n  enabled: false\n"


@pytest.mark.parametrize("url", ["mysql://somewhere/else", "postgresql://nobody@127.0.0.1:9/nothing"])
def test_a_storage_that_cannot_be_used_is_named(url, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv(STORAGE, url)
    with pytest.raises(StorageError, match=STORAGE):
        open_instance(DataLayout(tmp_path))


def test_a_run_that_a_daemon_launched_is_left_to_run_monitoring(storage, tmp_path):
    @dg.job
    def nothing() -> None:
        pass

    with open_instance(DataLayout(tmp_path)) as instance:
        launched = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        ours = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=process_tag())
        assert fail_dead_runs(instance) == []
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.STARTED}
        assert {launched.run_id, ours.run_id} == {run.run_id for run in instance.get_runs()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_four_partition_runs_at_a_time_refresh_many_datasets_without_a_lock_error(
    kind, request, many, tmp_path, monkeypatch
):
    if kind == "postgres":
        request.getfixturevalue("storage")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    changes = {"image_size": 32, "workers": 1}
    workspace = Workspace(archive=f"folder:{many}", data=str(tmp_path / "root"), changes=changes)
    run_everything(defs, workspace, ["collection_catalogue", "cohort", "split_plan"])
    datasets = [f"set-{number:03d}" for number in range(DATASETS)]
    with open_instance(workspace.layout) as instance:
        instance.add_dynamic_partitions("dataset", datasets)
    command = [sys.executable, "-W", "ignore", "-c", REFRESH, workspace.model_dump_json()]
    processes = [
        subprocess.Popen([*command, *datasets[first::AT_ONCE]], stderr=subprocess.PIPE, text=True, env=os.environ)
        for first in range(AT_ONCE)
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * AT_ONCE, said
    assert not any("database is locked" in text or "deadlock" in text for text in said)
    assert all(read_manifest(workspace.layout.decoded(dataset)) for dataset in datasets)
    with open_instance(workspace.layout) as instance:
        runs = [run for run in instance.get_runs() if run.job_name == "fetch_dataset"]
        assert Counter(run.status for run in runs) == {dg.DagsterRunStatus.SUCCESS: DATASETS}
        assert instance.get_materialized_partitions(dg.AssetKey("decoded_images")) == set(datasets)
