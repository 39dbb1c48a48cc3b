"""Links into the Dagster UI, and its answers in words; a small server stands in for it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dashboard.dagster_links import DagsterUnreachableError, asset_url, graph_state, in_words

STATE: dict[str, Any] = {
    "assetNodes": [
        {"assetKey": {"path": ["cohort"]}, "staleStatus": "STALE", "partitionStats": None},
        {
            "assetKey": {"path": ["decoded_images"]},
            "staleStatus": "FRESH",
            "partitionStats": {"numFailed": 2, "numMaterializing": 1},
        },
    ],
    "runsOrError": {"results": [{"runId": "a", "status": "STARTED"}]},
}


class Answering(BaseHTTPRequestHandler):
    body = json.dumps({"data": STATE}).encode()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MODALITY_DAGSTER_URL", f"http://127.0.0.1:{server.server_port}/")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_link_names_asset_and_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALITY_DAGSTER_URL", "http://host:3000/")
    assert asset_url("cohort") == "http://host:3000/assets/cohort"
    expected = "http://host:3000/assets/trained_model?view=partitions&partition=resnet18%7Cimage_range"
    assert asset_url("trained_model", "resnet18|image_range") == expected


@pytest.mark.usefixtures("dagster")
def test_stale_failed_and_running_are_said() -> None:
    assert in_words(graph_state()) == (
        "stale: `cohort`; failed: `decoded_images` (2 parts); running: `decoded_images` (1 parts), 1 runs."
    )


@pytest.mark.usefixtures("dagster")
@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": null}', b'{"errors": []}'])
def test_an_answer_in_another_language_is_no_answer(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answering, "body", body)
    with pytest.raises(DagsterUnreachableError):
        graph_state()


def test_nobody_there_is_said_with_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALITY_DAGSTER_URL", "http://127.0.0.1:9")
    with pytest.raises(DagsterUnreachableError, match=r"127\.0\.0\.1:9"):
        graph_state()


def test_when_nothing_happens_nothing_is_said_to() -> None:
    assert in_words({}) == "nothing is stale; no part has failed; nothing is running."
