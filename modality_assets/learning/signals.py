"""Being asked to stop: the first signal lets the run write its checkpoint, a second one acts at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StopRequest:
    """Whether, and by which signal, the run was asked to stop."""

    def __init__(self) -> None:
        self.name: str | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Watch for SIGTERM and SIGINT within this block; only a main thread can, others watch nothing."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        before.clear()

    def note(number: int, _frame: FrameType | None) -> None:
        request.name = signal.Signals(number).name
        restore()

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
