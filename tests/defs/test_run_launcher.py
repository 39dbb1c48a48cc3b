"""Which runs count as alive: by the process on this machine, or by the word of the code location."""

import multiprocessing
import os
import time

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus

from modality_assets.defs.instance import open_instance
from modality_assets.defs.processes import PID_TAG, process_lives
from modality_assets.defs.run_launcher import WatchfulRunLauncher
from modality_assets.layout import DataLayout


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards: open_instance sets it
    with open_instance(DataLayout(tmp_path)) as instance:
        yield instance


@pytest.fixture
def child():
    """A process as a code location starts one for a run."""
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    yield process
    process.kill()
    process.join()


def _run(instance, pid=None, tags=None):
    @dg.job
    def nothing() -> None:
        pass

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=tags)
    if pid is not None:
        facts = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
        instance.report_engine_event("Started process for run", run, facts)
    return run


def _health(instance, run):
    assert isinstance(instance.run_launcher, WatchfulRunLauncher)
    return instance.run_launcher.check_run_worker_health(run).status


def test_a_run_is_alive_with_its_process_and_given_up_at_the_second_look_without(instance, child):
    run = _run(instance, child.pid)
    assert [_health(instance, run) for _ in range(3)] == [WorkerStatus.RUNNING] * 3
    child.kill()
    child.join()
    assert [_health(instance, run) for _ in range(2)] == [WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND]


def test_a_run_that_is_seen_again_in_between_is_not_given_up(instance, child, monkeypatch):
    run = _run(instance, child.pid)
    seen = iter([False, True, False])
    monkeypatch.setattr("modality_assets.defs.run_launcher.process_lives", lambda *_: next(seen))
    assert [_health(instance, run) for _ in range(3)] == [WorkerStatus.RUNNING] * 3


def test_another_process_with_the_number_of_the_run_does_not_keep_it_alive(instance):
    assert process_lives(instance, _run(instance, os.getppid())) is False


def test_a_process_that_began_long_before_the_run_does_not_keep_it_alive(instance, child, monkeypatch):
    run = _run(instance, child.pid)
    assert process_lives(instance, run) is True
    monkeypatch.setattr("modality_assets.defs.processes._STARTS_WITHIN_SECONDS", -1.0)
    assert process_lives(instance, run) is False


def test_a_run_of_a_command_on_another_machine_is_left_alone(instance):
    run = _run(instance, tags={PID_TAG: f"another-machine:{os.getpid()}:1"})
    assert process_lives(instance, run) is None
    assert _health(instance, run) == WorkerStatus.RUNNING
