"""Start the user interfaces of a data root on loopback, and stop all of them together."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

DAGSTER_PORT = 3000
DASHBOARD_PORT = 8501
_LOOPBACK = "127.0.0.1"
_SECONDS_TO_STOP = 15


class PortTakenError(Exception):
    """A port that a user interface needs is in use."""


class StoppedEarlyError(Exception):
    """One of the servers ended by itself."""


def dagster_command(port: int) -> list[str]:
    """Return the command that starts web server, daemon and code location together."""
    options = ["-m", "modality_assets.definitions", "-h", _LOOPBACK, "-p", str(port)]
    return [sys.executable, "-m", "dagster", "dev", *options]


def dashboard_command(port: int, host: str = _LOOPBACK) -> list[str]:
    """Return the command that starts the dashboard."""
    spec = importlib.util.find_spec("dashboard")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return streamlit_command(Path(next(iter(spec.submodule_search_locations))) / "server.py", port, host)


def streamlit_command(app: Path, port: int, host: str = _LOOPBACK) -> list[str]:
    """Return the command that serves one Streamlit app, without a browser of its own and without telling anybody."""
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(app),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


def check_ports(ports: Sequence[int]) -> None:
    """Raise `PortTakenError` naming the first port that something listens on."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                raise PortTakenError(f"port {port} is in use: stop what listens there, or name another port") from None


def run_together(commands: Sequence[list[str]], log: Path) -> None:
    """Run the commands until SIGINT or SIGTERM, then stop every one of them with its children.

    Output goes to ``log``. Raise `StoppedEarlyError` naming the log where one ends by itself.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    stop = _StopSignal()  # before the servers start: a signal with a handler here is not ignored there
    with log.open("ab") as output:
        # A session of its own for each, so that Ctrl-C reaches them once, from here, in order.
        processes = [
            subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
            for command in commands
        ]
        try:
            while not stop.asked:
                for command, process in zip(commands, processes, strict=True):
                    if process.poll() is not None:
                        raise StoppedEarlyError(
                            f"{' '.join(command[1:4])} ended with code {process.returncode}: see {log}"
                        )
                time.sleep(0.2)
        finally:
            _stop(processes)


class _StopSignal:
    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked = True


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask each group to end (SIGINT, which Dagster passes on), and kill what is left after a while."""
    for process in processes:
        _signal(process, signal.SIGINT)
    until = time.monotonic() + _SECONDS_TO_STOP
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, until - time.monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
