import os
import signal
import socket
import subprocess
import sys
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

# One write for the line: two processes share the log, and print() may write the number and the newline apart.
SLEEPER = [sys.executable, "-c", r"import os, time; os.write(1, b'%d\n' % os.getpid()); time.sleep(600)"]

PARENT = f"""
import sys
from pathlib import Path
from modality_assets.user_interfaces import run_together
run_together([{SLEEPER!r}, {SLEEPER!r}], Path(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def handlers():
    """Put the handlers of the test runner back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def _started(log, count):
    """Return the process ids that servers wrote to the log, once there are ``count``."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = [int(line) for line in log.read_text().splitlines() if line.isdigit()] if log.exists() else []
        if len(found) == count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited for two minutes: {log.read_text() if log.exists() else 'no log'}")


def test_a_port_in_use_is_named_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTakenError, match=str(taken.getsockname()[1])):
            check_ports([taken.getsockname()[1]])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_every_server(tmp_path, number):
    log = tmp_path / "ui.log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log)])
    try:
        children = _started(log, 2)
        parent.send_signal(number)
        assert parent.wait(timeout=120) == 0, log.read_text()
    finally:
        parent.kill()
        parent.wait()
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
