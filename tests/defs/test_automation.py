import fcntl
import time

import dagster as dg
import pytest

from modality_assets.archives.archive import ArchiveUnreachableError
from modality_assets.archives.memory import MemoryArchive
from modality_assets.definitions import defs
from modality_assets.defs.assets.cohort import cohort
from modality_assets.defs.assets.collection_catalogue import collection_catalogue
from modality_assets.defs.assets.split_plan import split_plan
from modality_assets.defs.attempts import WORK_TAG, attempts_by, run_error
from modality_assets.defs.automation import Seen, archive_releases, daily_refresh, look, scheduled_retraining
from modality_assets.refresh.decision import Work

DATASETS = ["test-a", "test-b", "train-a", "train-b", "validate-a", "validate-b"]


def _tick(instance, workspace, cursor=None):
    with dg.build_sensor_context(instance=instance, definitions=defs, cursor=cursor) as context:
        return archive_releases(context, workspace=workspace)


@pytest.fixture
def planned(instance, workspace):
    dg.materialize([collection_catalogue, cohort, split_plan], instance=instance, resources={"workspace": workspace})
    return workspace


def test_the_sensor_asks_for_the_catalogue_when_the_archive_is_new(instance, workspace):
    result = _tick(instance, workspace)
    assert [request.job_name for request in result.run_requests] == ["refresh_catalogue"]
    assert not result.dynamic_partitions_requests


def test_the_sensor_adds_a_partition_for_each_dataset_and_asks_for_each_once(instance, planned):
    result = _tick(instance, planned)
    (added,) = result.dynamic_partitions_requests
    assert sorted(added.partition_keys) == DATASETS
    assert sorted(request.partition_key for request in result.run_requests) == DATASETS
    assert {request.job_name for request in result.run_requests} == {"fetch_dataset"}
    again = _tick(instance, planned, result.cursor)
    assert [r.run_key for r in again.run_requests] == [r.run_key for r in result.run_requests]


def test_no_more_runs_are_asked_for_than_may_be_on_their_way(instance, planned, changed):
    few = changed(runs_in_flight=2)
    first = _tick(instance, few).run_requests
    assert len(first) == 2
    for request in first:
        run = instance.create_run_for_job(
            defs.resolve_job_def("fetch_dataset"),
            tags={**request.tags, "dagster/partition": request.partition_key},
            status=dg.DagsterRunStatus.STARTING,
        )
        assert run.tags[WORK_TAG]
    assert not _tick(instance, few).run_requests


def test_a_partition_on_which_somebody_else_works_is_not_asked_for(instance, planned):
    instance.create_run_for_job(
        defs.resolve_job_def("fetch_dataset"),
        tags={"dagster/partition": "train-a"},
        status=dg.DagsterRunStatus.STARTED,
    )
    asked = [request.partition_key for request in _tick(instance, planned).run_requests]
    assert asked == [name for name in DATASETS if name != "train-a"]


def test_the_sensor_waits_while_a_command_materialises(instance, planned):
    with planned.layout.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = _tick(instance, planned)
    assert not result.run_requests
    assert "another command" in result.skip_reason.skip_message
    assert _tick(instance, planned).run_requests


class _Unreachable(MemoryArchive):
    def version(self) -> str:
        raise ArchiveUnreachableError("nobody answers")


def test_an_archive_that_does_not_answer_holds_up_nothing_that_was_planned(instance, planned):
    with planned.holding(_Unreachable([], {})):
        found = look(planned, instance, Seen(), 1e9)
    assert "nobody answers" in found.says
    assert sorted(start.work.partition for start in found.start) == DATASETS


def test_a_plan_that_cannot_be_made_is_tried_now_and_then_and_holds_up_nothing_that_was_planned(
    instance, planned, changed
):
    other = changed(seed=7)
    (start,) = look(other, instance, Seen(), 1e9).start
    assert start.work.job == "refresh_catalogue"
    for _ in range(3):
        instance.create_run_for_job(
            defs.resolve_job_def("refresh_catalogue"),
            tags={WORK_TAG: start.work.key},
            status=dg.DagsterRunStatus.FAILURE,
        )
    soon, later = (look(other, instance, Seen(), time.time() + seconds) for seconds in (1, 86400))
    assert sorted(one.work.partition for one in soon.start) == DATASETS
    assert sorted(one.work.partition for one in later.start) == ["", *DATASETS]
    assert "planning anew failed" in soon.says


def test_the_archive_is_asked_for_its_version_no_oftener_than_the_setting_says(instance, planned, changed):
    asked = []

    class Counting(MemoryArchive):
        def version(self) -> str:
            asked.append(1)
            return super().version()

    seen, hourly = Seen(), changed(look_every_minutes=60)
    with hourly.holding(_Unreachable([], {})):
        look(hourly, instance, seen, 1e9)
    with hourly.holding(Counting([], {})):
        for minutes in (1, 30, 59):
            look(hourly, instance, seen, 1e9 + 60 * minutes)
        assert not asked
        look(hourly, instance, seen, 1e9 + 3600)
    assert asked


def test_what_a_look_has_seen_survives_in_the_cursor(instance, planned):
    seen = Seen(12.5)
    seen.settled.under, seen.settled.datasets = "x", {"train-a": "1"}
    assert Seen.of_cursor(seen.cursor()) == seen
    assert Seen.of_cursor(None) == Seen()


def test_the_schedule_looks_at_the_archive_once_a_day():
    with dg.build_schedule_context() as context:
        ticked = daily_refresh.evaluate_tick(context)
    assert len(ticked.run_requests) == 1
    assert daily_refresh.job_name == "refresh_catalogue"
    assert daily_refresh.cron_schedule == "0 5 * * *"


def test_the_schedule_of_retraining_does_nothing_unless_the_settings_say_so(instance, planned):
    with dg.build_schedule_context(instance=instance) as context:
        (skipped,) = list(scheduled_retraining(context, workspace=planned))
    assert "retrain is 'on_release'" in skipped.skip_message


def test_a_run_that_failed_is_an_attempt_with_its_innermost_error(instance, workspace):
    work = Work("rewrite_shards", "image_range|train", "1" * 64)
    result = defs.resolve_job_def(work.job).execute_in_process(
        instance=instance,
        partition_key=work.partition,
        tags={WORK_TAG: work.key},
        raise_on_error=False,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "resources": {"workspace": {"config": workspace.model_dump()}},
        },
    )
    assert not result.success
    (attempt,) = attempts_by(instance)(work)
    assert attempt.ended is not None
    assert not attempt.ok
    assert "split_plan is not there" in attempt.error
    assert run_error(instance, result.run_id) == attempt.error


def test_a_run_that_crashed_and_will_be_started_again_goes_on(instance):
    work = Work("fetch_dataset", "train-a", "1" * 64)
    run = instance.create_run_for_job(
        defs.resolve_job_def("fetch_dataset"),
        tags={WORK_TAG: work.key, "dagster/will_retry": "true"},
        status=dg.DagsterRunStatus.FAILURE,
    )
    assert attempts_by(instance)(work)[-1].ended is None
    instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": "another"})
    assert attempts_by(instance)(work) == []


def test_a_start_that_was_promised_and_never_came_is_a_failed_attempt(instance, monkeypatch):
    work = Work("fetch_dataset", "train-a", "1" * 64)
    run = instance.create_run_for_job(
        defs.resolve_job_def("fetch_dataset"), tags={WORK_TAG: work.key}, status=dg.DagsterRunStatus.STARTED
    )
    event_log_consumer = "EVENT_LOG_CONSUMER_CURSOR-RUN_FAILURE"
    instance.daemon_cursor_storage.set_cursor_values({event_log_consumer: "0"})
    instance.report_run_failed(run, "its process is gone")
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    hour_later = time.time() + 3600
    monkeypatch.setattr("modality_assets.defs.attempts.time.time", lambda: hour_later)
    assert attempts_by(instance)(work)[-1].ended is None, "the daemon was down for an hour, and will look at it"
    instance.daemon_cursor_storage.set_cursor_values({event_log_consumer: "1000000"})
    (attempt,) = attempts_by(instance)(work)
    assert attempt.ended is not None
    assert not attempt.ok
    assert attempt.error == "its process is gone"
