"""How soon each page of the dashboard shows its first figure, and what memory it takes, on made-up results of any size.

Debian's Chromium, driven by Playwright (the extra ``dev``), opens every page as a person's first visit does: nothing
cached, scripts compiled anew. The baseline in the same run is a Streamlit page with one figure and nothing else.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modality_assets.progress import SILENT, Progress
from modality_assets.user_interfaces import dashboard_command, streamlit_command

PAGES = ("overview", "models", "per_dataset", "errors", "try_it", "archive", "split", "quality")
_BARE = "import plotly.graph_objects as go, streamlit as st; st.plotly_chart(go.Figure(go.Bar(x=[1, 2], y=[3, 4])))"
_FIGURE = "[data-testid=stMain] .js-plotly-plot .main-svg"
# Made-up results hold no network to upload to: there it is the sentence that says so.
_INSTEAD = {"try_it": "[data-testid=stFileUploaderDropzone], [data-testid=stAlertContentInfo]"}
_WATCH = """
new MutationObserver((_, observer) => {
  if (document.querySelector('SIGN')) { window.firstFigure ??= performance.now(); observer.disconnect(); }
}).observe(document, {childList: true, subtree: true});
"""
_FOR_CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_SECONDS = 60


class NoBrowserError(Exception):
    """There is no Chromium, or no Playwright to drive it."""


class NotServedError(Exception):
    """The dashboard did not start."""


def bench_dashboard(
    *,
    predictions: int = 4_500_000,
    datasets: int = 120,
    models: int = 16,
    rounds: int = 3,
    pages: Sequence[str] = PAGES,
    root: Path | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Return seconds to the first figure by page (medians over ``rounds``), of a bare page, their ratio, and memory.

    ``root`` is a data root to show; by default results are made up: ``predictions`` over ``datasets`` by ``models``.
    ``opened_again_seconds`` is a second visit's, by a browser that has kept what the first loaded;
    ``first_visit_seconds`` a first one's on a server that has just started. Memory is that of the server with its
    children at its highest, in MiB. Raises `NoBrowserError` where Chromium is not at MODALITY_CHROMIUM (by default
    /usr/bin/chromium), `NotServedError` where the dashboard does not start.
    """
    chromium = Path(os.environ.get("MODALITY_CHROMIUM", "/usr/bin/chromium"))
    if not chromium.is_file():
        raise NoBrowserError(f"{chromium}: install Debian's chromium, or name one with MODALITY_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as temporary:
        folder = Path(temporary)
        if root is None:
            root = folder / "results"
            size = {"predictions": predictions, "datasets": datasets, "models": models}
            options = [f"--{name}={number}" for name, number in size.items()]
            subprocess.run([sys.executable, "-m", "dashboard.made_up_results", str(root), *options], check=True)
        (folder / "bare.py").write_text(_BARE)
        port = _free_port()
        with (
            _serve(streamlit_command(folder / "bare.py", port), port, root, folder) as server,
            _browser(chromium) as browser,
        ):
            bare = []
            for _ in range(rounds + 1):
                with _visitor(browser) as visitor:
                    bare.append(_first_figure(visitor, server.url, _FIGURE))
            del bare[0]
        port = _free_port()
        with (
            _serve(dashboard_command(port), port, root, folder) as server,
            _browser(chromium) as browser,
            progress.task("Opening pages", total=(rounds + 1) * len(pages), unit="pages") as task,
        ):
            found: dict[str, list[float]] = {page: [] for page in pages}
            again: dict[str, list[float]] = {page: [] for page in pages}
            for _ in range(rounds + 1):
                for page, seconds in found.items():
                    url, sign = f"{server.url}/{'' if page == 'overview' else page}", _INSTEAD.get(page, _FIGURE)
                    with _visitor(browser) as visitor:
                        seconds.append(_first_figure(visitor, url, sign))
                        again[page].append(_first_figure(visitor, url, sign))
                    task.advance(1)
            memory = server.memory_mib()
    medians, medians_again = (
        {page: round(statistics.median(seconds[1:]), 2) for page, seconds in ways.items()} for ways in (found, again)
    )
    bare_seconds = statistics.median(bare)
    return {
        "first_figure_seconds": medians,
        "slowest_seconds": max(medians.values()),
        "opened_again_seconds": medians_again,
        "first_visit_seconds": {page: round(seconds[0], 2) for page, seconds in found.items()},
        "bare_page_seconds": round(bare_seconds, 2),
        "slowest_to_bare_ratio": round(max(medians.values()) / bare_seconds, 2),
        "memory_mib": memory,
        "rounds": rounds,
    }


class _Server:
    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url, self.process = url, process

    def memory_mib(self) -> int:
        """The highest resident memory of the server so far, with what its children hold now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        kilobytes = _status(self.process.pid, "VmHWM") + sum(_status(int(pid), "VmRSS") for pid in children)
        return kilobytes // 1024


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


@contextmanager
def _serve(command: list[str], port: int, root: Path, folder: Path) -> Iterator[_Server]:
    """A server on loopback, asked nothing before its health is."""
    environment = os.environ | {"MODALITY_DATA": str(root), "MODALITY_DAGSTER_URL": "http://127.0.0.1:9"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        until = time.monotonic() + _SECONDS
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                    break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise NotServedError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.1)
        yield _Server(url, process)
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _browser(chromium: Path) -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowserError("playwright is not installed: pip install '.[dev]'") from None

    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(chromium), args=_FOR_CHROMIUM)
        yield launched
        launched.close()


@contextmanager
def _visitor(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


def _first_figure(visitor: Any, url: str, sign: str) -> float:
    """Open ``url``; return seconds from the start of the navigation until ``sign`` is there."""
    page = visitor.new_page()
    page.add_init_script(_WATCH.replace("SIGN", sign))
    page.goto(url)
    page.wait_for_function("window.firstFigure !== undefined", timeout=1000 * _SECONDS)
    seconds = float(page.evaluate("window.firstFigure")) / 1000
    page.close()
    return seconds
