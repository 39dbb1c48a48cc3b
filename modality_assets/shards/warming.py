"""Reads what the loader will need into the page cache, in the order in which it lies on the disk.

A batch of random rows costs a disk many small reads; the same rows of a whole window, sorted and joined,
are few long ones. So a thread reads one window ahead, and the loader gathers from memory. What is in the
page cache already is not read again.
"""

import errno
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from modality_assets.shards.pixel_file import read_exactly
from modality_assets.shards.reader import ShardReader

_READ_BYTES = 2 << 20
_READERS = 4
_GAP_BYTES = 256 << 10  # shorter gaps are read through: cheaper than a seek


class WindowWarmer:
    """A thread that keeps the windows of ``rows`` warm, one ahead of the one in use.

    ``ends`` (windows,) are the places in ``rows`` at which they end; the window of ``first_row`` is read at once.
    """

    def __init__(
        self, reader: ShardReader, rows: NDArray[np.int64], ends: NDArray[np.int64], first_row: int = 0
    ) -> None:
        self._reader, self._rows, self._ends = reader, rows, ends
        self._first = self._window_of(first_row)
        self._warm = self._first  # windows before this one are in memory, or no longer wanted
        self._wanted = self._first + 1  # windows before this one are to be read
        self._stopped = False
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._scratch = threading.local()
        self._thread = threading.Thread(target=self._run, name="shards-warmer", daemon=True)
        self._thread.start()

    def wait_for(self, last_row: int) -> None:
        """Return when the rows up to place ``last_row`` are in memory; the window after them is begun."""
        window = self._window_of(last_row)
        with self._changed:
            self._wanted = max(self._wanted, window + 2)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._warm > window or self._stopped or self._error is not None)
        if self._error is not None:
            raise self._error

    def _window_of(self, row: int) -> int:
        return int(np.searchsorted(self._ends, row, side="right"))

    def stop(self) -> None:
        """End the thread, at the latest after the read in progress."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            with ThreadPoolExecutor(_READERS, thread_name_prefix="shards-reader") as readers:
                for window in range(self._first, len(self._ends)):
                    with self._changed:
                        while self._wanted <= window and not self._stopped:
                            self._changed.wait()
                        if self._stopped:
                            return
                    start = int(self._ends[window - 1]) if window else 0
                    self._read(self._rows[start : int(self._ends[window])], readers)
                    with self._changed:
                        self._warm = window + 1
                        self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _read(self, rows: NDArray[np.int64], readers: ThreadPoolExecutor) -> None:
        """Read all pieces of files that hold ``rows``, several at a time: one alone leaves a disk idle between."""
        with ExitStack() as stack:
            reads = []
            for number, _, local in self._reader.by_file(np.unique(rows)):
                file = self._reader.open_file(number)
                descriptor = os.open(file.path, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                if hasattr(os, "posix_fadvise"):  # just these bytes, as what is read ahead may be gone when wanted
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
                begin, end = joined(*file.byte_ranges(local), _GAP_BYTES)
                for first, last in zip(begin.tolist(), end.tolist(), strict=True):
                    for start in range(first, last, _READ_BYTES):
                        length = min(_READ_BYTES, last - start)
                        reads.append(readers.submit(self._read_piece, descriptor, start, length))
            try:
                for read in reads:
                    read.result()
            finally:
                # before the files are closed: no read may be on its way, or begin
                wait([read for read in reads if not read.cancel()])

    def _read_piece(self, descriptor: int, start: int, length: int) -> None:
        if self._stopped or _is_cached(descriptor, start, length):
            return
        if not hasattr(self._scratch, "memory"):
            self._scratch.memory = memoryview(bytearray(_READ_BYTES))
        read_exactly(descriptor, self._scratch.memory[:length], start)


def joined(begin: NDArray[np.int64], end: NDArray[np.int64], gap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join ranges, ascending and disjoint, that are at most ``gap`` apart."""
    if not len(begin):
        return begin, end
    apart = np.flatnonzero(begin[1:] - end[:-1] > gap)
    return begin[np.concatenate([[0], apart + 1])], end[np.concatenate([apart, [len(end) - 1]])]


def _is_cached(descriptor: int, start: int, length: int) -> bool:
    """Say whether the first, middle and last byte are in the page cache; False where the system cannot tell."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    probe: Sequence[bytearray] = [bytearray(1)]
    try:
        return all(
            os.preadv(descriptor, probe, place, os.RWF_NOWAIT) == 1
            for place in (start, start + length // 2, start + length - 1)
        )
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return False
        raise
