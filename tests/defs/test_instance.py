import os
import socket
import subprocess
import sys
import textwrap

import dagster as dg
import pytest

from modality_assets.defs.instance import SQLITE_POOLS, fail_dead_runs, open_instance
from modality_assets.defs.processes import PID_TAG, process_tag
from modality_assets.layout import DataLayout

KILLED = """
import os, sys
from pathlib import Path
import dagster as dg
from modality_assets.defs.instance import open_instance
from modality_assets.defs.processes import process_tag
from modality_assets.layout import DataLayout

@dg.asset(pool="training")
def killed_half_way():
    os.kill(os.getpid(), 9)

with open_instance(DataLayout(Path(sys.argv[1]))) as instance:
    dg.materialize([killed_half_way], instance=instance, tags=process_tag())
"""


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return DataLayout(tmp_path)


def _kill_a_run(layout):
    program = textwrap.dedent(KILLED)
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(layout.root)], check=False, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]


def test_pools_are_there_from_the_start_and_a_changed_limit_is_kept(layout):
    with open_instance(layout) as instance:
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert limits == SQLITE_POOLS
        instance.event_log_storage.set_concurrency_slots("download", 7)
    with open_instance(layout) as instance:
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert limits["download"] == 7


def test_a_run_killed_with_sigkill_is_failed_and_its_pool_slot_freed(layout):
    _kill_a_run(layout)
    with open_instance(layout) as instance:
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.STARTED
        assert instance.event_log_storage.get_concurrency_info("training").active_slot_count == 1
        assert fail_dead_runs(instance) == [run.run_id]
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
        assert instance.event_log_storage.get_concurrency_info("training").active_slot_count == 0
        assert fail_dead_runs(instance) == []


def test_a_run_whose_process_lives_is_left_alone(layout):
    with open_instance(layout) as instance:
        run = instance.create_run_for_job(
            _job(),
            tags=process_tag(),
            status=dg.DagsterRunStatus.STARTED,
        )
        assert fail_dead_runs(instance) == []
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED


def test_a_number_used_again_for_another_process_does_not_keep_a_run_alive(layout):
    with open_instance(layout) as instance:
        tags = {PID_TAG: f"{socket.gethostname()}:{os.getpid()}:1"}
        run = instance.create_run_for_job(_job(), tags=tags, status=dg.DagsterRunStatus.STARTED)
        assert fail_dead_runs(instance) == [run.run_id]


def _job() -> dg.JobDefinition:
    @dg.job
    def nothing() -> None:
        pass

    return nothing
