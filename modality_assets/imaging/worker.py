"""The worker process: reads batches from its standard input, decodes them, writes records to its standard output.

One JSON object a line each way. Started as a program of its own, not forked and not through multiprocessing, so that
it holds nothing of the parent, imports only what decoding needs, and does not run the parent's main module again.
A file is not trusted: memory and core dumps are limited, the parent watches the heartbeat, and should the parent be
gone, the kernel ends the worker, even in the middle of a native decoder that never returns.
"""

import fcntl
import gc
import importlib
import json
import logging
import mmap
import os
import resource
import signal
import struct
import sys
import time
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import cv2

from modality_assets.imaging.batch import FileToDecode, decode_files, open_part

HEARTBEAT = struct.Struct("<qq")
"""The file's number, or -1 when idle, and a counter that grows with every file and frame."""

_FLUSH_SECONDS = 0.1
_COMMON_READER = "modality_assets.imaging.readers.dicom"


def main() -> None:
    """Serve until the standard input ends; the last argument is JSON: descriptors, limits, modules to import."""
    options = json.loads(sys.argv[-1])
    _end_with_parent(options["lifeline"])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native libraries print must not come between the records
    for module in (_COMMON_READER, *options["modules"]):
        importlib.import_module(module)
    warnings.simplefilter("ignore")
    logging.disable()  # what is wrong with a file is said in its record
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    _limit_memory(options["memory_limit"])
    gc.freeze()  # what was imported is never garbage
    heartbeat = mmap.mmap(options["heartbeat"], HEARTBEAT.size)
    _send(answers, ['{"ready": true}'])
    for line in sys.stdin:
        _serve(json.loads(line), answers, heartbeat)


def _serve(request: dict[str, Any], answers: BinaryIO, heartbeat: mmap.mmap) -> None:
    count = 0

    def beat(number: int) -> None:
        nonlocal count
        count += 1
        HEARTBEAT.pack_into(heartbeat, 0, number, count)

    files = [FileToDecode(*file) for file in request["files"]]
    lines: list[str] = []
    flushed = time.monotonic()
    with open_part(Path(request["part"])) as part:
        for record in decode_files(files, part, size=request["size"], aspect=request["aspect"], beat=beat):
            lines.append(json.dumps({"record": record}))
            if time.monotonic() - flushed > _FLUSH_SECONDS:
                part.flush()  # pixels first: a record that has arrived has its pixels in the file
                _send(answers, lines)
                flushed = time.monotonic()
    HEARTBEAT.pack_into(heartbeat, 0, -1, count + 1)
    _send(answers, [*lines, '{"done": true}'])


def _send(answers: BinaryIO, lines: list[str]) -> None:
    answers.write("".join(f"{line}\n" for line in lines).encode())
    answers.flush()
    lines.clear()


def _limit_memory(limit: int) -> None:
    """Let data grow by ``limit`` bytes over what the process has now; no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = data_bytes() + limit
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _end_with_parent(lifeline: int) -> None:
    """Ask for SIGIO, which ends a process, when the other end of the pipe ``lifeline`` closes; nobody writes to it."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def data_bytes() -> int:
    """Return the private writable memory of this process, which RLIMIT_DATA counts; 0 where /proc does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), 0)
