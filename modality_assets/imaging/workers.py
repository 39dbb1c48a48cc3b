"""Worker processes that contain what files can do: a crash, a hang or a flood of memory costs one worker.

A pool starts its workers when they are first needed and keeps them for the next dataset. Each has a queue of two
batches, so that it never waits for the parent. When one is lost, the file it was at is refused with the reason,
and the rest of its batches is given out again.
"""

import atexit
import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from modality_assets.imaging.batch import FileRecord, refusal
from modality_assets.imaging.errors import (
    DecoderCrashError,
    DecoderTimeoutError,
    ImagingError,
    WorkerStartError,
)
from modality_assets.imaging.worker import HEARTBEAT
from modality_assets.imaging.worker_process import WORKER_ENVIRONMENT, Batch, WorkerProcess, start_worker

__all__ = ["WORKER_ENVIRONMENT", "Batch", "DecodingPool", "Piece", "available_cores", "shared_pool"]

DEFAULT_MEMORY_LIMIT = 2 << 30
"""Bytes that one worker may use beyond what it has after its start."""

DEFAULT_TIME_LIMIT = 30.0
"""Seconds, of a processor's time or asleep, within which a worker must finish the next frame."""

_QUEUE = 2
_LOOK_SECONDS = 0.1
_MOST_TRIES = 3


class Piece(NamedTuple):
    """Records of finished files; their pixels lie in ``part``, which is None where there are none, in this order."""

    part: Path | None
    records: list[FileRecord]


class DecodingPool:
    """Worker processes for decoding; a context manager. One work at a time; further callers wait.

    ``workers`` defaults to the cores that this process may use; ``memory_limit`` is in bytes, ``time_limit`` in
    seconds per frame; ``modules`` are imported by each worker besides its own.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        time_limit: float = DEFAULT_TIME_LIMIT,
        modules: Sequence[str] = (),
    ) -> None:
        self.workers = workers or available_cores()
        self.memory_limit = memory_limit
        self.time_limit = time_limit
        self.modules = tuple(modules)
        self.lost = 0
        """Workers that files have cost so far."""
        self._idle: list[WorkerProcess] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; a later call of `decode` starts new ones."""
        with self._lock:
            while self._idle:
                self._idle.pop().end()

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers that wait for work."""
        return [worker.process.pid for worker in self._idle]

    def start_worker(self) -> WorkerProcess:
        """Start one worker process, without waiting until it is ready."""
        return start_worker(self.memory_limit, self.modules)

    def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]:
        """Decode ``batches`` and give their records, piece by piece, in no particular order.

        A batch is asked for when a worker is free for it. Every file gets one record. Raises `WorkerStartError` where
        no worker can be started.
        """
        with self._lock:
            run = _Run(self, batches, size, aspect)
            run.workers, self._idle = self._idle, []
            try:
                yield from run.pieces()
            finally:
                for worker in run.workers:
                    if worker.batches or not worker.ready:  # the caller stopped half-way, or an error did
                        worker.end()
                    else:
                        self._idle.append(worker)


class _Run:
    """One work: which batches come again, which worker has which."""

    def __init__(self, pool: DecodingPool, batches: Iterable[Batch], size: int, aspect: str) -> None:
        self.pool, self.batches, self.size, self.aspect = pool, iter(batches), size, aspect
        self.again: deque[Batch] = deque()
        self.workers: list[WorkerProcess] = []
        self.retried: set[int] = set()

    def pieces(self) -> Iterator[Piece]:
        while self._hand_out():
            with selectors.DefaultSelector() as selector:
                for worker in self.workers:
                    assert worker.process.stdout is not None
                    selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
                arrived = [key.data for key, _ in selector.select(_LOOK_SECONDS)]
            for worker in arrived:
                yield from self._receive(worker)
            for worker in [one for one in self.workers if one.is_stuck(self.pool.time_limit)]:
                worker.timed_out = True
                yield from self._bury(worker)

    def _hand_out(self) -> bool:
        """Fill the workers' queues; say whether anything is left to wait for."""
        for depth in range(_QUEUE):  # everyone gets a first batch before anyone gets a second
            for worker in self.workers:
                if len(worker.batches) == depth and (batch := self._next_batch()):
                    worker.give(batch, self.size, self.aspect)
            while depth == 0 and len(self.workers) < self.pool.workers and (batch := self._next_batch()):
                self.workers.append(self.pool.start_worker())
                self.workers[-1].give(batch, self.size, self.aspect)
        return any(worker.batches for worker in self.workers)

    def _next_batch(self) -> Batch | None:
        return self.again.popleft() if self.again else next(self.batches, None)

    def _receive(self, worker: WorkerProcess) -> Iterator[Piece]:
        lines = worker.lines()
        if lines is None:
            yield from self._bury(worker)
            return
        for line in lines:
            if "record" in line:
                worker.records.append(FileRecord(*line["record"]))
            elif "done" in line:
                yield Piece(worker.batches.popleft().part, worker.records)
                worker.records = []
            else:
                worker.ready = True

    def _bury(self, worker: WorkerProcess) -> Iterator[Piece]:
        """Take a lost worker away: keep what it finished, refuse the file it was at, give the rest out again."""
        self.workers.remove(worker)
        at, _ = HEARTBEAT.unpack(worker.heartbeat[:])
        if not worker.timed_out:  # let a process that is ending say why
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(5)
        status = worker.end()
        if not worker.ready:
            raise WorkerStartError(f"a worker process did not start: {worker.last_words}")
        self.pool.lost += 1
        if not worker.batches:
            return
        batch = worker.batches.popleft()
        yield Piece(batch.part, worker.records)
        done = {record.number for record in worker.records}
        rest = [file for file in batch.files if file.number not in done]
        blamed = next((file for file in rest if file.number == at), None)
        again = Batch(rest, batch.part.with_name(f"{batch.part.name}+{self.pool.lost}"), batch.tries + 1)
        if blamed is None and again.tries >= _MOST_TRIES:
            blamed = rest[0]
        if blamed and status == -signal.SIGKILL and not worker.timed_out and blamed.number not in self.retried:
            self.retried.add(blamed.number)  # someone else ended it, perhaps for want of memory in all: once more
            blamed = None
        if blamed:
            error = _loss(Path(blamed.path).name, worker.timed_out, status, self.pool.time_limit)
            yield Piece(None, [refusal(blamed.number, error)])
            again.files.remove(blamed)
        worker.batches.appendleft(again)
        self.again.extendleft(reversed([one for one in worker.batches if one.files]))


def _loss(name: str, timed_out: bool, status: int, time_limit: float) -> ImagingError:
    if timed_out:
        return DecoderTimeoutError(f"{name}: no frame was finished within {time_limit:g} s")
    try:
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    except ValueError:
        how = f"signal {-status}"
    return DecoderCrashError(f"{name}: decoding it ended the worker process ({how})")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_shared: dict[int, DecodingPool] = {}


def shared_pool(workers: int | None = None) -> DecodingPool:
    """Return this process's pool of ``workers``, made when first asked for and closed when the process ends."""
    count = workers or available_cores()
    if count not in _shared:
        _shared[count] = DecodingPool(count)
        atexit.register(_shared[count].close)
    return _shared[count]
