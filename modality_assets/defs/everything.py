"""Materialise the whole graph, or a part of it, in this process: what `modality demo` and `modality run` do."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager

import dagster as dg
import polars as pl
from dagster_shared.error import SerializableErrorInfo

from modality_assets.archives.fetch_plan import plan_cohort
from modality_assets.defs.cluster import QUIET, check_here, execute_on_cluster, partition_tags, processes_for_runs
from modality_assets.defs.instance import fail_dead_runs, open_instance
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.processes import process_tag
from modality_assets.defs.results import terminal_progress
from modality_assets.defs.steps import STEPS, Step, cohort_datasets
from modality_assets.defs.workspace import Workspace
from modality_assets.layout import DataLayout
from modality_assets.learning.errors import TrainingInterruptedError
from modality_assets.progress import SILENT, Progress

_INTERRUPTIONS = {
    error.__name__ for error in (KeyboardInterrupt, dg.DagsterExecutionInterruptedError, TrainingInterruptedError)
}


class AlreadyRunningError(Exception):
    """Another command works on the same data root."""


class UnknownAssetError(Exception):
    """A name that is no asset of the graph."""


class MaterialisationError(Exception):
    """One or more partitions failed; the message names the first with its cause."""

    def __init__(self, asset: str, partition: str | None, cause: str) -> None:
        self.cause = cause
        super().__init__(f"{asset}{f' [{partition}]' if partition else ''}: {cause}")


def run_everything(
    definitions: dg.Definitions,
    workspace: Workspace,
    selected: Sequence[str] = (),
    progress: Progress = SILENT,
    say: Callable[[str], None] = lambda _sentence: None,
) -> tuple[int, int]:
    """Materialise every stale partition of the selected assets in the order of the flow; return (made, found fresh).

    A dataset that fails does not stop the other datasets; after them, `MaterialisationError` names the
    first that failed. The archive is opened once for the whole of it. ``say`` is told, before files are
    fetched, what that will cost; `DiskFullError` is raised where they will not fit.
    """
    unknown = sorted(set(selected) - {step.asset for step in STEPS})
    if unknown:
        raise UnknownAssetError(
            f"unknown asset {unknown[0]!r}: the assets are {', '.join(step.asset for step in STEPS)}"
        )
    steps = [step for step in STEPS if not selected or step.asset in selected]
    with only_one(workspace.layout), open_instance(workspace.layout) as instance, workspace.hold_archive(progress):
        fail_dead_runs(instance)
        shown = terminal_progress.set(progress)
        try:
            return _run(definitions, instance, workspace, steps, progress, say)
        finally:
            terminal_progress.reset(shown)


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    workspace: Workspace,
    steps: list[Step],
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[int, int]:
    made = fresh = 0
    with progress.task("Materialising", total=len(steps), unit="assets") as task, processes_for_runs() as processes:
        for step in steps:
            task.note(step.asset)
            if step.asset == "source_files":
                instance.add_dynamic_partitions(str(dataset_partitions.name), cohort_datasets(workspace))
                _weigh(workspace, say)
            keys = step.keys(workspace)
            stale = [k for k in keys if not (step.is_fresh(workspace, k) and _is_recorded(instance, step, k))]
            partitions = [key for key in stale if key is not None]
            if partitions and workspace.settings.cluster is not None:
                failures = _materialise_on_cluster(definitions, instance, workspace, step.asset, partitions, processes)
            else:
                failures = materialise_here(definitions, instance, workspace, step.asset, stale)
            fresh += len(keys) - len(stale)
            made += len(stale) - len(failures)
            if failures:
                raise failures[0]
            task.advance(1)
    return made, fresh


def _weigh(workspace: Workspace, say: Callable[[str], None]) -> None:
    """Say what fetching the cohort will cost, and refuse it where it will not fit."""
    plan = plan_cohort(pl.read_parquet(workspace.layout.cohort_table), workspace.layout)
    if plan.series:
        say(f"to fetch: {plan.sentence()}")
        plan.refuse_if_too_large()


def _is_recorded(instance: dg.DagsterInstance, step: Step, key: str | None) -> bool:
    """Tell whether Dagster knows of a materialisation; results outlive a deleted event log."""
    asset_key = dg.AssetKey(step.asset)
    if key is None:
        return instance.get_latest_materialization_event(asset_key) is not None
    return key in instance.get_materialized_partitions(asset_key)


def materialise_here(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    workspace: Workspace,
    asset: str,
    keys: Sequence[str | None],
) -> list[MaterialisationError]:
    """Materialise partitions one after the other in this process; return what failed.

    Raises KeyboardInterrupt where a signal ended one: Dagster takes it for a failure like any other, and the next
    partition would begin.
    """
    failures = []
    for key in keys:
        run = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=key,
            raise_on_error=False,
            tags=process_tag(),
            run_config=QUIET | {"resources": {"workspace": {"config": workspace.model_dump()}}},
        )
        if not run.success:
            if any(error.cls_name in _INTERRUPTIONS for error in _errors(run.all_events)):
                raise KeyboardInterrupt
            failures.append(MaterialisationError(asset, key, _cause(run.run_id, run.all_events)))
    return failures


def _materialise_on_cluster(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    workspace: Workspace,
    asset: str,
    keys: Sequence[str],
    processes: ProcessPoolExecutor,
) -> list[MaterialisationError]:
    """Materialise partitions, many at a time, and then evaluate the checks of the asset; return what failed."""
    config = workspace.model_dump()
    asked = {
        key: processes.submit(execute_on_cluster, config, asset, partition_tags(definitions, asset, key))
        for key in keys
    }
    failures = []
    for key, answer in asked.items():
        try:
            run_id, succeeded = answer.result()
        except BrokenExecutor:
            failures.append(MaterialisationError(asset, key, "the process of its run is gone; run the command again"))
            continue
        if not succeeded:
            events = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
            failures.append(MaterialisationError(asset, key, _cause(run_id, events)))
    check_here(definitions, instance, workspace, asset)
    return failures


def _cause(run_id: str, events: Sequence[dg.DagsterEvent]) -> str:
    """Return the message of the innermost error of a failed run."""
    for error in _errors(events):
        if error.cause is None:
            return str(error.message).split(f"{error.cls_name}: ", 1)[-1].strip()
    return f"the run failed; see run {run_id} in the Dagster UI"


def _errors(events: Sequence[dg.DagsterEvent]) -> Iterator[SerializableErrorInfo]:
    """Give the errors of a failed run, each followed by its causes."""
    for event in events:
        error = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        while error is not None:
            yield error
            error = error.cause


@contextmanager
def only_one(layout: DataLayout) -> Iterator[None]:
    """Hold the data root's lock; the kernel frees it when this process ends, however it ends."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunningError(
                f"another command is materialising into {layout.root}: wait until it is done, "
                "or name another root with --data"
            ) from None
        yield
