"""How long work says how far it is, without knowing who looks: a terminal, a log, or nobody.

Standard library only; the terminal's bars are made where a terminal is known to exist.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work with a known or unknown end."""

    def advance(self, amount: float = 1) -> None:
        """Say that ``amount`` more units are done."""

    def note(self, text: str) -> None:
        """Show a short word beside the bar: a rate, a loss, the item at hand."""


class Progress(Protocol):
    """Where tasks are shown."""

    def task(self, description: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Task]:
        """Open a task; ``total`` None means that its end is unknown. ``unit`` 'B' is shown as bytes."""


class _SilentTask:
    def advance(self, amount: float = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Silent:
    """A `Progress` that shows nothing; the default everywhere."""

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        yield _SilentTask()


SILENT: Progress = Silent()
