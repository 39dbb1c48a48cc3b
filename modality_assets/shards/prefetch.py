"""Runs an iterator in a thread, a few items ahead of who consumes it."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def prefetched(items: Generator[Item], ahead: int) -> Iterator[Item]:
    """Give the items of ``items``, made by a thread, at most ``ahead`` of them in advance.

    An error in the thread is raised here. When the consumer stops early, the thread ends and ``items``
    is closed before this returns.
    """
    ready: queue.Queue[object] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:
            put(_Failure(error))
        finally:
            items.close()

    thread = threading.Thread(target=work, name="shards-prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
            del item  # the consumer may be done with it; nothing here may keep its memory from being used again
    finally:
        stopped.set()
        while True:  # a full queue would keep the thread from seeing that it is to stop
            try:
                ready.get_nowait()
            except queue.Empty:
                break
        thread.join()
