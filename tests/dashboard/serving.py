"""The dashboard as `modality ui` serves it, in a process of its own, on a port that is free."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modality_assets.user_interfaces import dashboard_command


class Served:
    """A server that answers at ``url``."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.url, self.process, self.log = url, process, log

    def is_well(self) -> bool:
        """Whether the server answers the question for its health."""
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=60) as answer:
            return bool(answer.status == 200)

    def memory_mib(self) -> int:
        """The highest resident memory that the server ever had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


@contextmanager
def served(root: Path, log: Path) -> Iterator[Served]:
    """Serve a data root; at the end nothing in the log may be a traceback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    about = {"MODALITY_DATA": str(root), "MODALITY_ARCHIVE": "replica", "MODALITY_DAGSTER_URL": "http://127.0.0.1:9"}
    with log.open("wb") as output:
        process = subprocess.Popen(dashboard_command(port), env=os.environ | about, stdout=output, stderr=output)
    found = Served(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_for(found)
        yield found
    finally:
        process.terminate()
        process.wait(20)
    written = log.read_text()
    assert "Traceback" not in written, written[-4000:]


def _wait_for(server: Served) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if server.is_well():
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the dashboard did not start: {server.log.read_text()}")
