"""HiGHS prints a line of its own debugging to standard output now and then, past all its options."""

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHATTER = b"HighsMipSolverData::"
_STDOUT = 1
_turn = threading.Lock()


@contextmanager
def without_solver_chatter() -> Iterator[None]:
    """Hold back what is written to file descriptor 1, and afterwards pass on all of it but the solver's lines.

    What other threads write meanwhile arrives a moment later, and whole. One at a time holds it back;
    where there is no standard output, nothing is done.
    """
    with _turn:
        try:
            kept = os.dup(_STDOUT)
        except OSError:
            yield
            return
        with tempfile.TemporaryFile() as held:
            _flush()
            os.dup2(held.fileno(), _STDOUT)
            try:
                yield
            finally:
                _flush()
                os.dup2(kept, _STDOUT)
                os.close(kept)
                held.seek(0)
                said = b"".join(line for line in held if not line.startswith(_CHATTER))
                with suppress(OSError):
                    while said:
                        said = said[os.write(_STDOUT, said) :]


def _flush() -> None:
    """Flush the C library's buffers, in which the solver's lines would otherwise wait until later."""
    ctypes.CDLL(None).fflush(None)
