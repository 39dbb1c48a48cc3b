"""The record of a refresh: from which release to which, what came, what was asked for, and what came of it.

One JSON file per refresh, written whole each time something changed, so that a reader sees one moment.
`docs/refresh.md` shows an example.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from modality_assets.layout import DataLayout
from modality_assets.manifest import write_json

Change = Literal["new", "revised", "withdrawn", "dropped", "unchanged"]
CHANGES: tuple[Change, ...] = ("new", "revised", "withdrawn", "dropped", "unchanged")
"""A dataset is withdrawn when the archive offers none of its series any more, and dropped when it does but the
cohort has none of them (a budget, a policy, an exclusion)."""

WorkState = Literal["waiting", "running", "done", "failed", "set aside"]
"""Failed work is tried again; work that failed at every attempt is set aside, and holds nothing else up."""

Outcome = Literal["waiting", "promoted", "kept", "stale", "unchanged", "failed"]
"""What became of a model: the new one promoted, the old one kept as the better, left stale by the settings, …"""


def now_utc() -> str:
    """Return the time now, ISO 8601 in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RefreshRecordError(Exception):
    """A record of a refresh cannot be read."""


@dataclass(frozen=True)
class Release:
    """One state of an archive: ``name`` for people (a date or a number), ``version`` as the archive tells it."""

    name: str | None
    version: str


@dataclass(frozen=True)
class DatasetRow:
    """One dataset in a refresh; ``input_hash`` is that of its source files, None where it is withdrawn or dropped."""

    dataset: str
    change: Change
    input_hash: str | None
    split: str | None = None
    series: int = 0
    images: int = 0


@dataclass(frozen=True)
class WorkRow:
    """One run that the refresh needed: a job for one partition ('' where it has none), on inputs of this hash."""

    job: str
    partition: str
    input_hash: str
    state: WorkState
    attempts: int = 0
    run_id: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class SplitRow:
    """The shards of one split before and after; hashes are the manifests' content hashes."""

    rescaling: str
    split: str
    before: str | None
    after: str | None

    @property
    def rewritten(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class ModelRow:
    """What became of one model. ``before`` and ``after`` are the balanced accuracies on validate that decided."""

    architecture: str
    rescaling: str
    outcome: Outcome
    before: float | None = None
    after: float | None = None
    margin: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Refresh:
    """All of one refresh; times are ISO 8601 in UTC. ``retired`` are datasets on disk that the cohort no longer has."""

    number: int
    archive: str
    to_release: Release
    cohort: str
    started_utc: str
    from_release: Release | None = None
    state: Literal["running", "done", "overtaken"] = "running"
    finished_utc: str | None = None
    datasets: tuple[DatasetRow, ...] = ()
    retired: tuple[str, ...] = ()
    work: tuple[WorkRow, ...] = ()
    splits: tuple[SplitRow, ...] = ()
    models: tuple[ModelRow, ...] = ()

    def named(self, change: Change) -> list[str]:
        """Return the datasets of one kind of change."""
        return [row.dataset for row in self.datasets if row.change == change]

    def counts(self) -> dict[str, int]:
        """Return how many there are of each kind of change, of work asked for, done and set aside, and of splits."""
        states = [row.state for row in self.work]
        return {
            **{change: len(self.named(change)) for change in CHANGES},
            "partitions_asked": len(states),
            "partitions_done": states.count("done"),
            "partitions_set_aside": states.count("set aside"),
            "splits_rewritten": sum(row.rewritten for row in self.splits),
            "splits_untouched": sum(not row.rewritten for row in self.splits),
            "models_promoted": sum(row.outcome == "promoted" for row in self.models),
            "models_kept": sum(row.outcome == "kept" for row in self.models),
            "models_stale": sum(row.outcome == "stale" for row in self.models),
        }

    def finished(self, state: Literal["done", "overtaken"]) -> "Refresh":
        return replace(self, state=state, finished_utc=now_utc())


@dataclass(frozen=True)
class SetAside:
    """Why a dataset was given up for now; a revision of it (another ``input_hash``) is tried again."""

    input_hash: str
    error: str
    attempts: int
    since_utc: str = field(default_factory=now_utc)


def write_refresh(layout: DataLayout, refresh: Refresh) -> None:
    """Write the record, whole or not at all; leave the file alone where it says the same already."""
    path = layout.refresh_record(refresh.number)
    value = {**asdict(refresh), "counts": refresh.counts()}
    for written, row in zip(value["splits"], refresh.splits, strict=True):
        written["rewritten"] = row.rewritten
    if not path.exists() or json.loads(path.read_text()) != json.loads(json.dumps(value)):
        write_json(path, value)


def read_refresh(layout: DataLayout, number: int) -> Refresh:
    """Return one record; raise `RefreshRecordError` where it is not there or not readable."""
    path = layout.refresh_record(number)
    try:
        return _from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefreshRecordError(
            f"{path}: not the record of a refresh ({error!r}); delete its folder, and the next look makes one anew"
        ) from None


def latest_refresh(layout: DataLayout) -> Refresh | None:
    """Return the newest record, None where there is none yet."""
    records = layout.refresh_records
    return read_refresh(layout, int(records[-1].parent.name)) if records else None


def read_set_aside(layout: DataLayout) -> dict[str, SetAside]:
    """Return the datasets given up for now, by name."""
    try:
        found = json.loads(layout.set_aside.read_text())
    except FileNotFoundError:
        return {}
    return {dataset: SetAside(**facts) for dataset, facts in found.items()}


def write_set_aside(layout: DataLayout, found: Mapping[str, SetAside]) -> None:
    """Write the datasets given up for now, where they are others than those on disk."""
    if dict(found) != read_set_aside(layout):
        write_json(layout.set_aside, {dataset: asdict(facts) for dataset, facts in sorted(found.items())})


def _from_json(value: dict[str, Any]) -> Refresh:
    before = value["from_release"]
    splits = [{name: one for name, one in row.items() if name != "rewritten"} for row in value["splits"]]
    facts = {name: one for name, one in value.items() if name != "counts"}
    return Refresh(
        **facts
        | {
            "from_release": None if before is None else Release(**before),
            "to_release": Release(**value["to_release"]),
            "datasets": tuple(DatasetRow(**row) for row in value["datasets"]),
            "retired": tuple(value["retired"]),
            "work": tuple(WorkRow(**row) for row in value["work"]),
            "splits": tuple(SplitRow(**row) for row in splits),
            "models": tuple(ModelRow(**row) for row in value["models"]),
        }
    )
