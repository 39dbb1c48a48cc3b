"""What a data root still needs after a release, read from the disk; and what came of it, for the record.

Facts are gathered here, decisions are made in `refresh.decision`: both know nothing of sensors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from modality_assets.defs.assets.decoded_images import CODE_VERSION as DECODED_VERSION
from modality_assets.defs.assets.decoded_images import decoded_result
from modality_assets.defs.assets.rescaled_shards import required_datasets
from modality_assets.defs.assets.source_files import source_result
from modality_assets.defs.steps import STEPS, Step, cohort_datasets
from modality_assets.defs.workspace import Workspace
from modality_assets.evaluation.promotion import read_promotion
from modality_assets.manifest import digest, read_manifest
from modality_assets.refresh.decision import Attempt, Limits, Work, is_given_up, last_error, merge_rows
from modality_assets.refresh.record import (
    ModelRow,
    Outcome,
    Refresh,
    SetAside,
    SplitRow,
    WorkRow,
    now_utc,
    read_set_aside,
    write_set_aside,
)
from modality_assets.results import MissingInputError, required_manifest

PLAN, FETCH, SHARDS, MODEL, REPORT, COMPARE = JOBS = (
    "refresh_catalogue",
    "fetch_dataset",
    "rewrite_shards",
    "retrain_model",
    "renew_report",
    "compare_models",
)

_STEP: dict[str, Step] = {step.asset: step for step in STEPS}
_PLANNING = ("cohort", "split_plan")
_COMPARING = ("model_comparison", "header_disagreements")


@dataclass
class Settled:
    """The datasets found fresh under one cohort and one set of choices, so that no look asks all of them again.

    ``datasets`` maps each to the digest of its rows of the cohort: one whose rows a new cohort leaves as they were
    stays settled.
    """

    under: str = ""
    datasets: dict[str, str] = field(default_factory=dict)


def stale_plan(workspace: Workspace, *, ask_archive: bool) -> Work | None:
    """Return the work of planning anew where catalogue, cohort or plan are not those of now.

    ``ask_archive`` asks the archive for its version; raises `ArchiveError` where it does not answer.
    """
    stale = [name for name in _PLANNING if not _STEP[name].is_fresh(workspace, None)]
    asked = ["collection_catalogue"] if ask_archive or read_manifest(workspace.layout.catalogue) is None else []
    for name in asked:
        result = _STEP[name].result(workspace, "")
        if result.fresh_manifest() is None:
            return Work(PLAN, "", result.input_hash)
    if not stale:
        return None
    settings = workspace.settings.model_dump(mode="json")
    catalogue = required_manifest(workspace.layout.catalogue, "collection_catalogue").content_hash
    return Work(PLAN, "", digest([catalogue, settings]))


def wanted(workspace: Workspace, settled: Settled, tried: Callable[[Work], Sequence[Attempt]]) -> list[Work]:
    """Return the work that follows a plan, in the order of the flow; ``settled`` is brought up to date.

    A split waits for its datasets, a model for its shards, the comparison for all: but for nothing that failed at
    every attempt of ``tried``. Datasets that did are set aside, on disk, with the reason.
    """
    limits = limits_of(workspace)

    def pending(found: Sequence[Work]) -> list[Work]:
        return [work for work in found if not is_given_up(tried(work), limits)]

    fetches = list(_stale_datasets(workspace, settled))
    blocked = {work.partition for work in pending(fetches)}
    _set_aside(workspace, {work: tried(work) for work in fetches if work.partition not in blocked})
    shards: list[Work] = []
    models: list[Work] = []
    waiting = set[str]()
    for key in map(str, _STEP["rescaled_shards"].keys(workspace)):
        rescaling, split = key.split("|")
        if blocked.intersection(required_datasets(workspace, split)):
            waiting.add(rescaling)
        else:
            shards += _stale(workspace, "rescaled_shards", key, SHARDS)
    waiting |= {work.partition.split("|")[0] for work in pending(shards)}

    for key in map(str, _STEP["trained_model"].keys(workspace)):
        if key.split("|")[1] not in waiting:
            models += _stale_model(workspace, key, pending)
    before = [*fetches, *shards, *models]
    return before if pending(before) else [*before, *_stale_comparison(workspace)]


def limits_of(workspace: Workspace) -> Limits:
    settings = workspace.settings
    return Limits(settings.runs_in_flight, settings.attempts, settings.retry_after_seconds)


def stale_models(workspace: Workspace) -> list[Work]:
    """Return the models whose shards are there and are not those they were trained on."""
    keys = map(str, _STEP["trained_model"].keys(workspace))
    return [work for key in keys for work in _stale(workspace, "trained_model", key, MODEL)]


def _stale_datasets(workspace: Workspace, settled: Settled) -> Iterator[Work]:
    choices = workspace.settings.model_dump(include={"image_size", "aspect"})
    cohort = required_manifest(workspace.layout.cohort, "cohort").content_hash
    under = digest([cohort, choices])
    if settled.under != under:
        rows = _rows_digests(workspace, digest(choices))
        settled.datasets = {name: one for name, one in settled.datasets.items() if rows.get(name) == one}
        settled.under = under
    unsettled = [name for name in cohort_datasets(workspace) if name not in settled.datasets]
    rows = _rows_digests(workspace, digest(choices)) if unsettled else {}
    for dataset in unsettled:
        source = source_result(workspace, dataset)
        if source.fresh_manifest() is not None and decoded_result(workspace, dataset).fresh_manifest() is not None:
            settled.datasets[dataset] = rows[dataset]
        else:
            yield Work(FETCH, dataset, digest([source.input_hash, choices, DECODED_VERSION]))


def _rows_digests(workspace: Workspace, choices: str) -> dict[str, str]:
    """Return dataset → digest of all that the cohort says of it, with the choices that its images depend on."""
    parts = pl.read_parquet(workspace.layout.cohort_table).partition_by("dataset", as_dict=True)
    return {str(name): digest([choices, rows.write_csv()]) for (name,), rows in parts.items()}


def _set_aside(workspace: Workspace, given_up: Mapping[Work, Sequence[Attempt]]) -> None:
    known = read_set_aside(workspace.layout)
    now: dict[str, SetAside] = {}
    for work, attempts in given_up.items():
        error = last_error(attempts) or ""
        before = known.get(work.partition)
        since = before.since_utc if before is not None and before.input_hash == work.input_hash else now_utc()
        now[work.partition] = SetAside(work.input_hash, error, len(attempts), since)
    write_set_aside(workspace.layout, now)


def _stale_model(workspace: Workspace, key: str, pending: Callable[[list[Work]], list[Work]]) -> list[Work]:
    """Return the training of a model, if the settings ask for it, or else the report that no training will renew."""
    training = list(_stale(workspace, "trained_model", key, MODEL))
    if workspace.settings.retrain != "on_release":
        training = []
    architecture, rescaling = key.split("|")
    if pending(training) or read_manifest(workspace.layout.model(architecture, rescaling)) is None:
        return training
    return [*training, *_stale(workspace, "evaluation_report", key, REPORT)]


def _stale_comparison(workspace: Workspace) -> Iterator[Work]:
    if not any(read_manifest(folder) for folder in workspace.layout.report_folders):
        return
    results = [_STEP[name].result(workspace, "") for name in _COMPARING]
    if any(result.fresh_manifest() is None for result in results):
        yield Work(COMPARE, "", digest([result.input_hash for result in results]))


def _stale(workspace: Workspace, asset: str, key: str, job: str) -> Iterator[Work]:
    try:
        result = _STEP[asset].result(workspace, key)
    except MissingInputError:
        return
    if result.fresh_manifest() is None:
        yield Work(job, key, result.input_hash)


def brought_up_to_date(
    workspace: Workspace, refresh: Refresh, rows: Sequence[WorkRow], tried: Callable[[Work], Sequence[Attempt]]
) -> Refresh:
    """Return the record with what is on disk now; done when every piece of work is done or set aside."""
    work = merge_rows(refresh.work, rows, tried)
    current = replace(
        refresh, work=work, splits=_split_rows(workspace, refresh), models=_model_rows(workspace, refresh, work)
    )
    if all(row.state in ("done", "set aside") for row in work):
        return current if current.state == "done" else current.finished("done")
    return replace(current, state="running", finished_utc=None)


def _split_rows(workspace: Workspace, refresh: Refresh) -> tuple[SplitRow, ...]:
    before = {(row.rescaling, row.split): row.before for row in refresh.splits}
    rows = []
    for key in map(str, _STEP["rescaled_shards"].keys(workspace)):
        rescaling, split = key.split("|")
        manifest = read_manifest(workspace.layout.shards(rescaling, split))
        now = manifest.content_hash if manifest else None
        rows.append(SplitRow(rescaling, split, before.get((rescaling, split), now), now))
    return tuple(rows)


def _model_rows(workspace: Workspace, refresh: Refresh, work: Sequence[WorkRow]) -> tuple[ModelRow, ...]:
    states = {row.partition: row for row in work if row.job == MODEL}
    return tuple(
        _model_row(workspace, refresh, key, states.get(key)) for key in map(str, _STEP["trained_model"].keys(workspace))
    )


def _model_row(workspace: Workspace, refresh: Refresh, key: str, asked: WorkRow | None) -> ModelRow:
    architecture, rescaling = key.split("|")
    try:
        result = _STEP["trained_model"].result(workspace, key)
    except MissingInputError:
        return ModelRow(architecture, rescaling, "waiting")
    decision = read_promotion(workspace.layout.version(architecture, rescaling, result.input_hash))
    fresh = result.fresh_manifest()
    if fresh is not None and decision is not None and decision.decided_utc >= refresh.started_utc:
        outcome: Outcome = "promoted" if decision.promoted else "kept"
        return ModelRow(architecture, rescaling, outcome, decision.before, decision.after, decision.margin)
    if fresh is not None:
        made_now = fresh.created_utc >= refresh.started_utc
        return ModelRow(architecture, rescaling, "promoted" if made_now else "unchanged")
    if asked is not None and asked.state == "set aside":
        return ModelRow(architecture, rescaling, "failed", error=asked.error)
    waits = workspace.settings.retrain == "on_release"
    return ModelRow(architecture, rescaling, "waiting" if waits else "stale")
