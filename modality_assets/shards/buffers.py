"""Batches' memory, used again: fresh pages cost more than the copy that fills them."""

import threading
import weakref
from collections.abc import Callable

import numpy as np


class BufferPool:
    """Hands out arrays that nobody holds any more.

    A buffer is lent as a view. While anything refers to that view, such as a tensor made of it by
    ``torch.from_numpy`` or a slice of such a tensor, the buffer is not lent again; so a consumer may keep
    batches as long as it likes, and one that does not gets the same few buffers over and over.
    """

    def __init__(self, make: Callable[[], np.ndarray]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._buffers: list[np.ndarray] = []
        self._lent: list[weakref.ref[np.ndarray]] = []

    def take(self, rows: int) -> np.ndarray:
        """Return the first ``rows`` of a free buffer, or of a new one; the content is whatever was there."""
        with self._lock:
            return self._take(rows)

    def _take(self, rows: int) -> np.ndarray:
        free = next((number for number, lent in enumerate(self._lent) if lent() is None), len(self._lent))
        if free == len(self._buffers):
            self._buffers.append(self._make())
        view = self._buffers[free][:rows]
        self._lent[free : free + 1] = [weakref.ref(view)]
        return view
