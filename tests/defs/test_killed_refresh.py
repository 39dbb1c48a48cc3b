"""A refresh by a real daemon, whose worker, code server, daemon and PostgreSQL are killed one after another."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from modality_assets.defs.attempts import WORK_TAG
from modality_assets.defs.everything import run_everything
from modality_assets.defs.instance import open_instance
from modality_assets.defs.workspace import Workspace
from modality_assets.layout import STORAGE, DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.refresh.record import latest_refresh
from modality_assets.settings import Settings, write_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SETTINGS = Settings(
    image_size=32,
    workers=1,
    architectures=("resnet18",),
    rescalings=("image_range",),
    studies=(),
    look_every_minutes=0.01,
    retry_after_seconds=1,
    max_quarantine_share=0.2,
)
PREPARING = ["collection_catalogue", "cohort", "split_plan", "source_files", "decoded_images", "rescaled_shards"]


@pytest.fixture
def undisturbed(picture_archive, tmp_path, monkeypatch):
    """The same archive made ready in one process."""
    from modality_assets.definitions import defs

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards: open_instance sets it
    workspace = Workspace(archive=f"folder:{picture_archive}", data=str(tmp_path / "undisturbed"))
    write_settings(workspace.layout.settings, SETTINGS)
    run_everything(defs, workspace, PREPARING)
    return workspace.layout


@pytest.fixture
def on_postgres(undisturbed, postgres, monkeypatch):
    """An empty PostgreSQL that is the storage of what starts after it; `undisturbed` keeps its own."""
    postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    monkeypatch.setenv(STORAGE, postgres.url)
    return postgres


@pytest.fixture
def service(picture_archive, tmp_path):
    """A data root, and a function that starts a daemon on it that follows the archive."""
    layout = DataLayout(tmp_path / "root")
    write_settings(layout.settings, SETTINGS)
    with open_instance(layout):  # writes the configuration that the daemon reads
        pass
    environment = os.environ | {
        "MODALITY_ARCHIVE": f"folder:{picture_archive}",
        "MODALITY_DATA": str(layout.root),
        "MODALITY_FOLLOW": "1",
        "DAGSTER_HOME": str(layout.dagster_home),
    }
    started = []

    def start():
        command = [sys.executable, "-W", "ignore", "-m", "dagster._daemon", "run", "-m", "modality_assets.definitions"]
        with (tmp_path / "daemon.log").open("ab") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        return started[-1].pid

    yield layout, start, tmp_path / "daemon.log"
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(find, seconds=400):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := find():
            return found
        time.sleep(0.2)
    raise TimeoutError(f"waited {seconds} s")


def how_it_stands(instance, layout, log):
    """Return what one needs to know of a refresh that does not end."""
    runs = [f"{run.job_name} {run.status.value} {run.tags}" for run in instance.get_runs()]
    return "\n".join([*runs, repr(latest_refresh(layout)), log.read_text()[-6000:]])


def worker_of(instance, job):
    """Return the process id of a run of ``job`` that works now."""
    for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])):
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            pid = entry.dagster_event.engine_event_data.metadata.get("pid")
            if pid is not None and is_alive(pid.value):
                return int(pid.value)
    return None


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def code_server_of(daemon):
    """Return the process id of the code server that a daemon started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == daemon and b"grpc" in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except (OSError, ValueError):
            continue
    return None


def assert_complete_and_done_once(instance, layout, log, undisturbed, tend=lambda: None):
    """Wait for the refresh, calling ``tend`` now and then, and compare its results with the undisturbed ones."""

    def finished():
        tend()
        refresh = latest_refresh(layout)
        return refresh if refresh is not None and refresh.state == "done" and refresh.splits else None

    try:
        refresh = wait_for(finished)
        # what is on the disk says that all is done; a run may still be ending
        wait_for(lambda: not instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)), 60)
    except TimeoutError as error:
        raise AssertionError(f"{error}: {how_it_stands(instance, layout, log)}") from None
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    done = Counter(run.tags[WORK_TAG] for run in runs if WORK_TAG in run.tags)
    assert {row.state for row in refresh.work} == {"done"}
    assert Counter(row.job for row in refresh.work) == {"fetch_dataset": 6, "rewrite_shards": 3}
    assert set(done.values()) == {1}
    assert len(done) == 1 + 6 + 3
    for folder in (*undisturbed.shard_folders, *undisturbed.decoded_folders, *undisturbed.source_folders):
        twin = layout.root / folder.relative_to(undisturbed.root)
        assert read_manifest(twin).content_hash == read_manifest(folder).content_hash
    assert not list(layout.root.rglob(".staging-*"))


def test_killed_in_turn_worker_code_server_and_daemon_it_completes_and_nothing_is_done_twice(service, undisturbed):
    layout, start, log = service
    with open_instance(layout) as instance:
        daemon = start()
        os.kill(wait_for(lambda: worker_of(instance, "fetch_dataset")), signal.SIGKILL)
        wait_for(lambda: worker_of(instance, "fetch_dataset"))
        os.kill(wait_for(lambda: code_server_of(daemon)), signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)
        os.waitpid(daemon, 0)
        start()
        assert_complete_and_done_once(instance, layout, log, undisturbed)


@pytest.mark.postgres
def test_after_a_killed_postgres_it_completes_and_nothing_is_done_twice(on_postgres, service, undisturbed):
    layout, start, log = service
    with open_instance(layout) as instance:
        daemon = start()
        wait_for(lambda: worker_of(instance, "fetch_dataset"))
        on_postgres.kill()
        time.sleep(1)
        on_postgres.start()

        def restart_as_a_service_manager_does():
            nonlocal daemon
            if not is_alive(daemon):
                daemon = start()

        assert_complete_and_done_once(instance, layout, log, undisturbed, restart_as_a_service_manager_does)
