"""A new file that goes to the disk and not through the page cache.

A split is larger than memory, or else small: either way its shards need no copy of themselves in memory when
they are written, and must not drive out what other work keeps there. It also is faster wherever the kernel has
no page at hand, as on virtual machines, which are lent them slowly. Where a file system cannot, it is a plain file.
"""

import contextlib
import errno
import fcntl
import os
import threading
from pathlib import Path

import numpy as np

_BLOCK = 4096  # what offsets, lengths and addresses are multiples of: no disk asks for more
_BUFFER_BYTES = 2 << 20
_scratch = threading.local()


class DirectFile:
    """Takes bytes in order; after `close` they are there, after `abandon` alone some are not."""

    def __init__(self, path: Path) -> None:
        """Raises FileExistsError for a file that is there."""
        self.name = str(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o666)
        self._length, self._used = 0, 0
        self._buffer = _take_buffer()
        _set_direct(self._descriptor, True)

    def write(self, data: memoryview) -> None:
        """Append ``data``, bytes."""
        while data:
            taken = min(len(data), _BUFFER_BYTES - self._used)
            self._buffer[self._used : self._used + taken] = data[:taken]
            self._used += taken
            data = data[taken:]
            if self._used == _BUFFER_BYTES:
                self._flush(self._used)

    def close(self) -> None:
        """Write what is left, and cut the file to its length."""
        if self._descriptor < 0:
            return
        try:
            length = self._length + self._used
            whole = -(-self._used // _BLOCK) * _BLOCK
            self._buffer[self._used : whole] = bytes(whole - self._used)
            self._flush(whole)
            os.ftruncate(self._descriptor, length)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            _scratch.buffer = self._buffer

    def _flush(self, length: int) -> None:
        data = self._buffer[:length]
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not _set_direct(self._descriptor, False):
                    raise
        self._length += length
        self._used = 0


def _set_direct(descriptor: int, wanted: bool) -> bool:
    """Turn direct writing on or off; say whether that changed anything."""
    direct = getattr(os, "O_DIRECT", 0)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if bool(flags & direct) == wanted:
        return False
    with contextlib.suppress(OSError):  # a file system that cannot
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags ^ direct)
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & direct) == wanted


def _take_buffer() -> memoryview:
    """Return the buffer of a file that this thread closed before, as fresh pages cost more than filling them does."""
    free: memoryview | None = getattr(_scratch, "buffer", None)
    _scratch.buffer = None
    if free is not None:
        return free
    memory = np.empty(_BUFFER_BYTES + _BLOCK, np.uint8)
    start = -memory.ctypes.data % _BLOCK
    return memory[start : start + _BUFFER_BYTES].data
