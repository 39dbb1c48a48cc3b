"""Alerts, posted to a receiver on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import httpx
import pytest

from modality_assets.defs.alerts import WEBHOOK, alerts


class Receiver:
    """A webhook that answers with ``status`` and keeps what it took."""

    def __init__(self) -> None:
        self.status, self.taken, self.asked = 200, [], 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.asked += 1
                if receiver.status == 200:
                    receiver.taken.append(body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(monkeypatch):
    made = Receiver()
    monkeypatch.setenv(WEBHOOK, made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


works = {"breaks": False, "passes": True}


@dg.asset
def result() -> None:
    if works["breaks"]:
        raise ValueError("the disk of the archive is full")


@dg.asset_check(asset=result)
def is_true() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=works["passes"], severity=dg.AssetCheckSeverity.WARN)


DEFINITIONS = dg.Definitions(assets=[result], asset_checks=[is_true])


@pytest.fixture
def look(instance, workspace):
    """A function that evaluates the sensor, going on from the cursor of the time before."""
    cursor = [None]

    def evaluate() -> str:
        with dg.build_sensor_context(
            instance=instance,
            cursor=cursor[0],
            repository_def=DEFINITIONS.get_repository_def(),
            resources={"workspace": workspace},
        ) as context:
            tick = alerts.evaluate_tick(context)
        cursor[0] = tick.cursor or cursor[0]
        return tick.skip_message

    return evaluate


def _run(instance, tags=None, **state):
    works.update({"breaks": False, "passes": True} | state)
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)


def test_a_failed_run_is_told_once_and_failures_of_before_are_not(instance, look, receiver):
    _run(instance, breaks=True)
    assert look() == "nothing new"
    run = _run(instance, breaks=True)
    assert look() == "1 alerts posted"
    assert look() == "nothing new"
    (message,) = receiver.taken
    (alert,) = message["alerts"]
    assert alert["kind"] == "run failed"
    assert alert["run_id"] == run.run_id
    assert "Steps failed: ['result']" in message["text"]


def test_a_run_that_is_tried_again_is_not_told(instance, look, receiver):
    look()
    _run(instance, tags={"dagster/will_retry": "true"}, breaks=True)
    assert look() == "nothing new"
    assert receiver.taken == []


def test_a_check_is_told_when_it_begins_to_fail_and_when_it_passes_again(instance, look, receiver):
    _run(instance)
    look()
    for _ in range(3):
        _run(instance, passes=False)
        look()
    _run(instance)
    look()
    kinds = [(alert["kind"], alert["name"]) for message in receiver.taken for alert in message["alerts"]]
    assert kinds == [("check failed", "result:is_true"), ("check passes again", "result:is_true")]


def test_what_the_webhook_did_not_take_is_told_at_the_next_look(instance, look, receiver):
    look()
    _run(instance, breaks=True)
    receiver.status = 500
    with pytest.raises(httpx.HTTPStatusError):
        look()
    assert receiver.asked == 3
    receiver.status = 200
    assert look() == "1 alerts posted"
    assert len(receiver.taken) == 1


def test_without_a_webhook_nothing_is_done(look, monkeypatch):
    monkeypatch.delenv(WEBHOOK, raising=False)
    assert look() == f"{WEBHOOK} names no URL"
