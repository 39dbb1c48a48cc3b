"""Whether the process of a run still lives, on this machine, as far as can be told from here."""

import os
import socket
from pathlib import Path

import dagster as dg

PID_TAG = ".dagster/modality_pid"  # the prefix keeps it out of the lists of the UI
_STARTS_WITHIN_SECONDS = 600.0


def process_tag() -> dict[str, str]:
    """Return the tag that marks a run as one of this process: machine, process id, start time."""
    return {PID_TAG: f"{socket.gethostname()}:{os.getpid()}:{_start_ticks(os.getpid())}"}


def process_lives(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Tell whether the run's process is there; None where another machine would have to say.

    A run of our commands names its process by tag; a launched one by an event of the launcher, whose process
    id is believed only for a child process that began shortly before that event. False for a run that names none.
    """
    if PID_TAG in run.tags:
        machine, pid, ticks = run.tags[PID_TAG].split(":")
        return _start_ticks(int(pid)) == ticks if machine == socket.gethostname() else None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        metadata = event.engine_event_data.metadata if event and event.event_specific_data else {}
        if "pid" in metadata and _is_launched(int(str(metadata["pid"].value)), entry.timestamp):
            return True
    return False


def _is_launched(pid: int, told: float) -> bool:
    """Tell whether process ``pid`` is a child that a code location started shortly before the time ``told``."""
    ticks = _start_ticks(pid)
    if ticks is None:
        return False
    booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    started = int(booted.split()[1]) + int(ticks) / os.sysconf("SC_CLK_TCK")
    try:
        spawned = b"multiprocessing" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return spawned and -_STARTS_WITHIN_SECONDS < started - told < 2


def _start_ticks(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot (proc(5), field 22), or None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rsplit(")", 1)[1].split()
    return None if state == "Z" else rest[18]
