import asyncio
import time
from collections import namedtuple

import dagster as dg
import httpx
import pytest
from dagster import DagsterRunStatus
from dagster._daemon.types import DaemonHeartbeat

from modality_assets.defs import health
from modality_assets.defs.health import FREE_GB, look
from modality_assets.defs.instance import open_instance
from modality_assets.health_page import health_app
from modality_assets.layout import STORAGE


@pytest.fixture(autouse=True)
def service(workspace, monkeypatch, tmp_path):
    """An instance whose daemons were heard of just now."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))  # put back afterwards: open_instance sets it
    monkeypatch.setenv(FREE_GB, "0.001")
    with open_instance(workspace.layout) as instance:
        _beat(instance, time.time())
        yield instance


def _beat(instance, at):
    for kind in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(timestamp=at, daemon_type=kind, daemon_id="d", errors=[]))


def _judged(workspace):
    return {finding.name: finding.ok for finding in look(workspace).findings}


def _add_run(instance, status, partition="A"):
    @dg.job
    def fetch_dataset() -> None:
        pass

    run = instance.create_run_for_job(fetch_dataset, tags={"dagster/partition": partition})
    report = {
        DagsterRunStatus.FAILURE: instance.report_run_failed,
        DagsterRunStatus.CANCELED: instance.report_run_canceled,
    }
    report[status](run, "as the test wants it")
    return run


def test_all_is_well_where_everything_answers_and_nothing_failed(workspace):
    found = look(workspace)
    assert found.well
    assert _judged(workspace) == {
        "data root": True,
        "disk": True,
        "storage": True,
        "daemons": True,
        "queue": True,
        "failed runs": True,
        "stale results": None,
    }


def test_silent_daemons_are_named_with_their_age(workspace, service):
    _beat(service, time.time() - 600)
    (found,) = [one for one in look(workspace).findings if one.name == "daemons"]
    assert found.ok is False
    assert "scheduler 10 min ago" in found.detail


def test_a_failed_run_counts_until_another_of_its_partition_ends_otherwise(workspace, service):
    _add_run(service, DagsterRunStatus.FAILURE)
    (found,) = [one for one in look(workspace).findings if one.name == "failed runs"]
    assert found.ok is False
    assert "fetch_dataset [A]" in found.detail
    _add_run(service, DagsterRunStatus.FAILURE, partition="B")
    _add_run(service, DagsterRunStatus.CANCELED)
    (found,) = [one for one in look(workspace).findings if one.name == "failed runs"]
    assert found.detail == "1 without success since: fetch_dataset [B]"


def test_a_full_disk_is_not_well(workspace, monkeypatch):
    usage = namedtuple("usage", "total used free")(100e9, 99e9, 1e6)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _path: usage)
    monkeypatch.setenv(FREE_GB, "5")
    assert _judged(workspace)["disk"] is False


def test_a_storage_that_does_not_answer_is_a_finding_and_no_error(workspace, monkeypatch):
    monkeypatch.setenv(STORAGE, "postgresql://nobody@127.0.0.1:9/nothing")
    found = {one.name: one for one in look(workspace).findings}
    assert found["storage"].ok is False
    assert "PostgreSQL" in found["storage"].detail
    assert found["disk"].ok is True


def _get(workspace, accept="*/*"):
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(health_app(workspace))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get("/health", headers={"accept": accept})

    return asyncio.run(ask())


def test_the_page_answers_200_or_503_as_html_or_json(workspace, service):
    assert _get(workspace).status_code == 200
    assert _get(workspace).json()["well"] is True
    assert "All is well" in _get(workspace, "text/html").text
    _add_run(service, DagsterRunStatus.FAILURE, partition="<b>")
    assert _get(workspace).status_code == 503
    page = _get(workspace, "text/html")
    assert page.status_code == 503
    assert "fetch_dataset [&lt;b&gt;]" in page.text
