"""Progress for a run that nobody watches in a terminal: one line in its log for each tenth of the way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_EVERY_SECONDS = 15.0


class Log(Protocol):
    """The one method of a Dagster log manager that is needed."""

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
    """A `Progress` that writes to a log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[_LogTask]:
        yield _LogTask(self._log, description, total, unit)
