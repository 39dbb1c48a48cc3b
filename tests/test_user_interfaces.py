import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from modality_assets.user_interfaces import (
    PortTakenError,
    StoppedEarlyError,
    check_ports,
    dagster_command,
    dashboard_command,
    run_together,
)

SLEEPER = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]

PARENT = """
import sys
from pathlib import Path
from modality_assets.user_interfaces import run_together
sleeper = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
run_together([sleeper, sleeper], Path(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def handlers():
    """Put the handlers of the test runner back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def _wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited for twenty seconds")


def test_a_port_in_use_is_named_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTakenError, match=str(taken.getsockname()[1])):
            check_ports([taken.getsockname()[1]])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_every_server(tmp_path, number):
    log = tmp_path / "ui.log"
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT), str(log)])
    _wait_for(lambda: log.exists() and len(log.read_text().splitlines()) == 2)
    children = [int(line) for line in log.read_text().splitlines()]
    parent.send_signal(number)
    assert parent.wait(timeout=30) == 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_a_server_that_ends_by_itself_ends_the_others_and_is_named_with_its_log(tmp_path):
    log = tmp_path / "ui.log"
    failing = [sys.executable, "-c", "import sys, time; time.sleep(1); print('broken', flush=True); sys.exit(3)"]
    with pytest.raises(StoppedEarlyError, match=r"code 3.*ui\.log"):
        run_together([SLEEPER, failing], log)
    assert "broken" in log.read_text()
    child = next(int(line) for line in log.read_text().splitlines() if line.isdigit())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_both_servers_listen_on_loopback_only():
    assert "127.0.0.1" in dagster_command(3000)
    assert "--server.address=127.0.0.1" in dashboard_command(8501)
    assert not any("0.0.0.0" in word for word in (*dagster_command(3000), *dashboard_command(8501)))
