"""A bad network: 500 series through a proxy that spoils a fifth of the answers."""

import collections
import random
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from modality_assets.archives.http import Patience
from modality_assets.archives.nbia import NbiaArchive
from modality_assets.archives.replica.server import running_server
from modality_assets.archives.store import fetch_dataset, stored_files
from modality_assets.manifest import read_manifest

SERIES = 500
FAULTS = ("drop", "delay", "truncate", "wrong byte", "429", "500")


class Proxy:
    """Passes requests on to ``target``, and spoils one answer in five; it counts what it did to whom."""

    def __init__(self, target: str, answer: Any) -> None:
        self.target, self.answer = target, answer
        self.faults: collections.Counter[str] = collections.Counter()
        self.whole: collections.Counter[str] = collections.Counter()
        self._random = random.Random(7)
        self._lock = threading.Lock()

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < 0.2 else None
            self.faults[fault or "none"] += 1
            at = self._random.random()
        instead = {
            "drop": self.answer(drop=True),
            "429": self.answer(b"slow down", 429, {"Retry-After": "0"}),
            "500": self.answer(b"<html>trouble</html>", 500),
        }.get(str(fault))
        if instead is not None:
            return instead
        if fault == "delay":
            time.sleep(0.2)
        url = f"{self.target}{path.strip('/')}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url) as response:
            body = response.read()
        if "SeriesInstanceUID" not in query:
            return self.answer(body)
        if fault == "truncate":
            return self.answer(body[: int(at * len(body))], declared=len(body))
        if fault == "wrong byte":
            body = body[: int(at * len(body))] + b"\xa5" + body[int(at * len(body)) + 1 :]
        else:
            with self._lock:
                self.whole[query["SeriesInstanceUID"]] += 1
        return self.answer(body)


@pytest.fixture
def content(tmp_path: Path, make_dicom: Callable[..., bytes]) -> Path:
    root = tmp_path / "content"
    templates = {instance: make_dicom("1.2.1000", instance) for instance in (1, 2)}
    for series in range(1001, 1001 + SERIES):
        folder = root / "Alpha" / str(series)
        folder.mkdir(parents=True)
        for instance, data in templates.items():
            (folder / f"{instance}.dcm").write_bytes(data.replace(b"1.2.1000", f"1.2.{series}".encode()))
    return root


@pytest.mark.slow
def test_500_series_arrive_through_a_bad_network_verified_and_none_twice(
    content: Path, tmp_path: Path, serve_http: Callable[[Any], str], answer: Any
) -> None:
    patience = Patience(attempts=10, first_wait=0.01, longest_wait=0.05)
    store = tmp_path / "store"
    with running_server(content) as url:
        proxy = Proxy(url, answer)
        with closing(NbiaArchive(serve_http(proxy), patience=patience)) as archive:
            rows = archive.list_series()
            first = fetch_dataset(archive, rows, store, run_id="one", max_missing_share=0, workers=8, patience=patience)
            again = fetch_dataset(archive, rows, store, run_id="two", max_missing_share=0, workers=8, patience=patience)
    assert (first.series_fetched, first.failures) == (SERIES, [])
    assert (again.series_fetched, again.content) == (0, first.content)
    assert all(proxy.faults[fault] > 5 for fault in FAULTS), "each fault must have been tried"
    assert set(proxy.whole.values()) == {1}, "what arrived whole was asked for again"
    original = {path.read_bytes() for path in content.rglob("*.dcm")}
    kept = [path.read_bytes() for uid in rows["series_uid"] for path in stored_files(store, uid)]
    assert len(kept) == len(original) == 2 * SERIES
    assert set(kept) == original
    assert {manifest.run_id for uid in rows["series_uid"] if (manifest := read_manifest(store / uid))} == {"one"}
