"""What to start now: of the work that is wanted, the part that is due, within what may run at a time.

A pure function of what is wanted, what was tried and the clock, so that months of releases can be replayed
in seconds. The sensor asks it at every tick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from modality_assets.refresh.record import WorkRow, WorkState


@dataclass(frozen=True)
class Work:
    """One run that is needed: a job on one partition ('' where it has none), because its inputs have this hash."""

    job: str
    partition: str
    input_hash: str

    @property
    def key(self) -> str:
        """The name under which its runs are found again; other inputs make other work."""
        return f"{self.job}/{self.partition}/{self.input_hash[:16]}"


@dataclass(frozen=True)
class Attempt:
    """One run of some work: ``ended`` is when, in seconds since the epoch, None while it goes on.

    ``ok`` counts for nothing by itself: work that is still wanted after a run that went well, such as a
    dataset of which series are missing, was not done.
    """

    run_id: str
    ended: float | None = None
    ok: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Limits:
    """How much is asked for at a time, and when what failed is tried again: after b, 2 b, 4 b … seconds.

    After ``attempts`` failures work is set aside: named, waited for by nobody, and tried again all the same, with
    pauses that grow to ``longest_pause_seconds``, for what was out of order today may be mended tomorrow.
    """

    in_flight: int = 8
    attempts: int = 3
    backoff_seconds: float = 60.0
    longest_pause_seconds: float = 86400.0


@dataclass(frozen=True)
class Start:
    """A run to ask for; the run key says which attempt at which work it is, so that none is asked for twice."""

    work: Work
    attempt: int

    @property
    def run_key(self) -> str:
        return f"{self.work.key}/{self.attempt}"


@dataclass(frozen=True)
class Decision:
    """What to start, and where each piece of wanted work stands."""

    start: tuple[Start, ...]
    rows: tuple[WorkRow, ...]


def decide(wanted: Sequence[Work], tried: Mapping[str, Sequence[Attempt]], now: float, limits: Limits) -> Decision:
    """Return what to start of ``wanted``, in its order; ``tried`` maps `Work.key` to attempts, oldest first.

    Work that runs is left to run, work that failed waits until it is due, and never more runs are on their way
    than ``limits.in_flight``, however many are due.
    """
    room = limits.in_flight - sum(is_running(tried.get(work.key, ())) for work in wanted)
    start: list[Start] = []
    for work in wanted:
        attempts = tried.get(work.key, ())
        if room > len(start) and not is_running(attempts) and now >= due(attempts, limits):
            start.append(Start(work, len(attempts) + 1))
    asked = {one.work for one in start}
    rows = (_row(work, tried.get(work.key, ()), limits, asked=work in asked) for work in wanted)
    return Decision(tuple(start), tuple(rows))


def due(attempts: Sequence[Attempt], limits: Limits) -> float:
    """Return when work may be tried (again): at once, then twice as long after each failure, up to a limit."""
    if not attempts:
        return 0.0
    pause = limits.backoff_seconds * 2 ** min(len(attempts) - 1, 32)
    return (attempts[-1].ended or 0.0) + min(pause, limits.longest_pause_seconds)


def is_running(attempts: Sequence[Attempt]) -> bool:
    return bool(attempts) and attempts[-1].ended is None


def is_given_up(attempts: Sequence[Attempt], limits: Limits) -> bool:
    """Tell whether work failed so often that nothing waits for it any longer."""
    return sum(attempt.ended is not None for attempt in attempts) >= limits.attempts


def merge_rows(
    before: Sequence[WorkRow], now: Sequence[WorkRow], tried: Callable[[Work], Sequence[Attempt]]
) -> tuple[WorkRow, ...]:
    """Return the rows of a record brought up to date: what is not wanted any more is done, by the last attempt."""
    current = {(row.job, row.partition): row for row in now}
    kept = []
    for row in before:
        newer = current.pop((row.job, row.partition), None)
        if newer is None and row.state != "done":
            attempts = tried(Work(row.job, row.partition, row.input_hash))
            run_id = attempts[-1].run_id if attempts else row.run_id
            newer = replace(row, state="done", attempts=max(len(attempts), row.attempts), run_id=run_id, error=None)
        kept.append(newer or row)
    return (*kept, *current.values())


def _row(work: Work, attempts: Sequence[Attempt], limits: Limits, *, asked: bool) -> WorkRow:
    if is_given_up(attempts, limits):
        state: WorkState = "set aside"
    elif asked or is_running(attempts):
        state = "running"
    else:
        state = "failed" if attempts else "waiting"
    run_id = attempts[-1].run_id if attempts else None
    return WorkRow(
        work.job, work.partition, work.input_hash, state, len(attempts) + asked, run_id, last_error(attempts)
    )


def last_error(attempts: Sequence[Attempt]) -> str | None:
    """Return why the last attempt that ended did not do the work."""
    ended = [attempt for attempt in attempts if attempt.ended is not None]
    if not ended:
        return None
    return ended[-1].error or ("the run went well, and left something undone" if ended[-1].ok else "the run failed")
