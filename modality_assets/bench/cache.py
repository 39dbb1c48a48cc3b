"""Reading as if for the first time: files out of the page cache, and for root the folders' entries too."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def forget(files: Iterable[Path]) -> None:
    """Write the files' pages to the disk and drop them from the page cache."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # dirty pages cannot be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def drop_caches(files: Iterable[Path], switch: Path = _DROP_CACHES) -> str:
    """Forget everything that was read, or where only root may ask for that, the pages of ``files``; say which.

    The names and inodes of many small files are read from the disk too when they are opened for the first time;
    only "drop_caches" forgets those.
    """
    forget(files)
    try:
        switch.write_text("3")
    except OSError:
        return "posix_fadvise"
    return "drop_caches"


def sequential_read_seconds(files: Iterable[Path], piece_bytes: int = 4 << 20) -> float:
    """Return how long it takes to read the files from end to end into one buffer."""
    buffer = bytearray(piece_bytes)
    started = time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - started


def memcpy_gb_per_s(total_bytes: int = 1 << 28) -> float:
    """Return the speed of copying memory, the limit of whatever gathers batches."""
    source, target = bytearray(total_bytes), bytearray(total_bytes)
    memoryview(target)[:] = source
    started = time.perf_counter()
    memoryview(target)[:] = source
    return total_bytes / (time.perf_counter() - started) / 1e9
