"""One worker process as its parent sees it: its pipes, its heartbeat, its batches."""

import contextlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from modality_assets.imaging.batch import FileRecord, FileToDecode
from modality_assets.imaging.errors import WorkerStartError
from modality_assets.imaging.worker import HEARTBEAT

_START_SECONDS = 300.0
_IDLE_SHARE = 0.01  # a process that gets less of a processor than this is asleep, not waiting for its turn
_PATIENCE = 20  # time limits that even a process which hardly gets its turn may take
_ROOT = Path(__file__).resolve().parents[2]
WORKER_ENVIRONMENT = {
    **{f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")},
    # glibc hands large arrays back to the kernel at once, and clearing the pages again costs more than decoding
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from modality_assets.imaging.worker import main; main()"


@dataclass
class Batch:
    """Files that one worker decodes into one part file, which may have been used before."""

    files: list[FileToDecode]
    part: Path
    tries: int = 0


@dataclass
class WorkerProcess:
    """Records gather here until the batch is done; ``since`` is when something last moved."""

    process: subprocess.Popen[bytes]
    heartbeat: mmap.mmap
    lifeline: int
    errors: IO[bytes]
    batches: deque[Batch] = field(default_factory=deque)
    records: list[FileRecord] = field(default_factory=list)
    unread: bytes = b""
    seen: bytes = b""
    since: float = 0.0
    used: float | None = None  # processor seconds at half the time limit
    ready: bool = False
    timed_out: bool = False
    last_words: str = ""

    def lines(self) -> Iterator[dict[str, Any]] | None:
        """Return what arrived, or None when the process has closed its end."""
        assert self.process.stdout is not None
        try:
            found = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return iter(())
        if not found:
            return None
        self.since, self.used = time.monotonic(), None
        *whole, self.unread = (self.unread + found).split(b"\n")
        return (json.loads(line) for line in whole)

    def give(self, batch: Batch, size: int, aspect: str) -> None:
        """Queue a batch. A worker that is gone is found out when its output ends."""
        if not self.batches:
            self.since = time.monotonic()
        self.batches.append(batch)
        request = {"part": str(batch.part), "files": batch.files, "size": size, "aspect": aspect}
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def is_stuck(self, time_limit: float) -> bool:
        """Whether nothing has moved for ``time_limit`` seconds although there is work.

        On a crowded machine a process waits for its turn: seconds count for which it had a processor, or slept.
        """
        beat = bytes(self.heartbeat[:])
        if beat != self.seen or not self.batches:
            self.seen, self.since, self.used = beat, time.monotonic(), None
        waited = time.monotonic() - self.since
        if not self.ready:
            return waited > _START_SECONDS
        if waited <= time_limit / 2:
            return False
        used = processor_seconds(self.process.pid)
        if self.used is None:
            self.used = used
        if waited <= time_limit:
            return False
        computed, since_half = used - self.used, waited - time_limit / 2
        return computed >= time_limit / 2 or computed < _IDLE_SHARE * since_half or waited > _PATIENCE * time_limit

    def end(self) -> int:
        """End the process; return its exit status, negative for a signal."""
        self.process.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait()
        os.close(self.lifeline)
        self.heartbeat.close()
        self.last_words = _tail(self.errors)
        self.errors.close()
        return status


def start_worker(memory_limit: int, modules: Sequence[str]) -> WorkerProcess:
    """Start one worker process, without waiting until it is ready."""
    lifeline, kept = os.pipe()
    with tempfile.TemporaryFile() as shared:
        shared.truncate(HEARTBEAT.size)
        heartbeat = mmap.mmap(shared.fileno(), HEARTBEAT.size)
        HEARTBEAT.pack_into(heartbeat, 0, -1, 0)
        descriptors = {"heartbeat": shared.fileno(), "lifeline": lifeline}
        options = {**descriptors, "memory_limit": memory_limit, "modules": modules}
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT), json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=list(descriptors.values()),
                env=os.environ | WORKER_ENVIRONMENT,
            )
        except OSError as error:
            os.close(kept)
            heartbeat.close()
            errors.close()
            raise WorkerStartError(
                f"no worker process could be started ({error}); see the limits of this user"
            ) from None
        finally:
            os.close(lifeline)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return WorkerProcess(process, heartbeat, kept, errors, since=time.monotonic())


def processor_seconds(pid: int) -> float:
    """Return the seconds for which a process has had a processor; 0 where /proc does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read()[-4000:].decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"
