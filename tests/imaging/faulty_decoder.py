"""A reader of files that misbehave on purpose; imported by the workers of the containment tests."""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modality_assets.imaging.frames import FileFrames
from modality_assets.imaging.readers import add_format

add_format("Faulty", b"FAULTY ", __name__)


def read(path: Path, file: BinaryIO) -> FileFrames:  # noqa: PLR0912
    """Do what the file says, with no chance for Python to recover."""
    fault = file.read().split()[1].decode()
    if fault == "abort":
        os.abort()
    elif fault == "segfault":
        ctypes.string_at(1)
    elif fault == "exit":
        os._exit(3)
    elif fault == "hang":  # in native code, holding the interpreter's lock
        ctypes.PyDLL(None).sleep(3600)
    elif fault == "spin":
        while True:
            pass
    elif fault == "memory":
        kept = [np.ones(1 << 24) for _ in range(1 << 10)]
        raise AssertionError(len(kept))
    elif fault == "flood":  # memory that Python knows nothing of
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        while address := libc.malloc(ctypes.c_size_t(1 << 26)):
            ctypes.memset(address, 1, 1 << 26)
        os.abort()
    elif fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "killed-once":
        mark = path.with_suffix(".mark")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("came back")
    elif fault == "print":
        os.write(1, b"noise of a native library\n")
        raise ValueError("printed")
    elif fault == "slow":
        time.sleep(0.4)
        raise ValueError("slow but alive")
    elif fault == "crowded":  # a fifth of a processor, as on a machine with much else to do
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            turn = time.thread_time() + 0.02
            while time.thread_time() < turn:
                pass
            time.sleep(0.08)
        raise ValueError("had to wait for its turn")
    raise AssertionError(fault)
