"""How long work says how far it is, without knowing who looks: a terminal, a log, or nobody.

Standard library only; the terminal's bars are made where a terminal is known to exist.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

_EVERY_SECONDS = 15.0


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


class Log(Protocol):
    """Where lines go: a Dagster log manager, for one."""

    def info(self, msg: object) -> None: ...


class _LogTask:
    def __init__(self, log: Log, description: str, total: float | None, unit: str) -> None:
        self._log, self._description, self._total, self._unit = log, description, total, unit
        self._done, self._tenth, self._said, self._note = 0.0, 0, time.monotonic(), ""

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        tenth = int(10 * self._done / self._total) if self._total else 0
        late = time.monotonic() - self._said > _EVERY_SECONDS
        if (tenth > self._tenth and time.monotonic() - self._said > 1) or late:
            self._tenth, self._said = tenth, time.monotonic()
            self._log.info(f"{self._description}: {self._amount(self._done)}{self._of()} {self._note}".rstrip())

    def note(self, text: str) -> None:
        self._note = text

    def _of(self) -> str:
        return f" of {self._amount(self._total)}" if self._total else ""

    def _amount(self, amount: float) -> str:
        return f"{amount / 1e6:,.1f} MB" if self._unit == "B" else f"{amount:,.0f} {self._unit}".rstrip()


class LogProgress:
    """A `Progress` that writes to a log: a line for each tenth of the way, and for each quarter of a minute."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[_LogTask]:
        yield _LogTask(self._log, description, total, unit)
