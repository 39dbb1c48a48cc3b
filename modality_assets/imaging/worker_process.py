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

_START_SECONDS = 60.0
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
        self.since = time.monotonic()
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
        """Whether nothing has moved for ``time_limit`` seconds although there is work."""
        beat = bytes(self.heartbeat[:])
        if beat != self.seen or not self.batches:
            self.seen, self.since = beat, time.monotonic()
        return time.monotonic() - self.since > (time_limit if self.ready else _START_SECONDS)

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


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read()[-4000:].decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"
