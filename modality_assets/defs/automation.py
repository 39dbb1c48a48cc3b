"""What runs by itself: the jobs, the sensor that follows the archive's releases, and the schedules.

Whether they run from the start says the environment variable MODALITY_FOLLOW, which `modality ui --follow` sets:
whoever only looks at results is not to be surprised by a download.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import dagster as dg

from modality_assets.archives.archive import ArchiveError
from modality_assets.defs import refreshing
from modality_assets.defs.alerts import alerts
from modality_assets.defs.attempts import WORK_TAG, attempts_by
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.steps import cohort_datasets
from modality_assets.defs.workspace import Workspace
from modality_assets.layout import DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.refresh.changes import current_refresh
from modality_assets.refresh.decision import Start, Work, decide, is_given_up, last_error
from modality_assets.refresh.record import write_refresh

FOLLOW = "MODALITY_FOLLOW"
_FOLLOWS = os.environ.get(FOLLOW) == "1"
_CHOSEN = Workspace.from_environment().settings
_LOOK_SECONDS = max(2, min(15, int(60 * _CHOSEN.look_every_minutes)))

_JOBS = {
    refreshing.PLAN: (
        ["collection_catalogue", "cohort", "split_plan"],
        "Look at the archive again, choose the cohort, and place new datasets; assigned ones never move.",
    ),
    refreshing.FETCH: (["source_files", "decoded_images"], "Fetch, verify and decode one dataset."),
    refreshing.SHARDS: (["rescaled_shards"], "Write the shards of one split under one rescaling."),
    refreshing.MODEL: (
        ["trained_model", "evaluation_report"],
        "Train a model on the shards of now; it is promoted if it is no worse.",
    ),
    refreshing.REPORT: (["evaluation_report"], "Judge a promoted model on the shards of now."),
    refreshing.COMPARE: (["model_comparison", "header_disagreements"], "Put all models side by side."),
}
JOBS = [dg.define_asset_job(name, selection=assets, description=text) for name, (assets, text) in _JOBS.items()]


@dataclass
class Seen:
    """What one look leaves to the next, in the sensor's cursor."""

    asked_archive: float = 0.0
    settled: refreshing.Settled = field(default_factory=refreshing.Settled)

    @classmethod
    def of_cursor(cls, cursor: str | None) -> "Seen":
        if not cursor:
            return cls()
        value = json.loads(cursor)
        return cls(value["asked_archive"], refreshing.Settled(**value["settled"]))

    def cursor(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Look:
    """What one look found: runs to ask for, and a sentence for whoever reads the sensor's ticks."""

    start: tuple[Start, ...]
    says: str


def look(workspace: Workspace, instance: dg.DagsterInstance, seen: Seen, now: float) -> Look:
    """Compare the data root with the archive, write the record of the refresh, and say which runs are due.

    ``now`` is in seconds since the epoch. Everything is read from the disk and from Dagster's runs, so whatever
    was killed, the next look goes on from what is there.
    """
    tried, limits = attempts_by(instance), refreshing.limits_of(workspace)
    trouble = ""
    ask = now - seen.asked_archive >= 60 * workspace.settings.look_every_minutes
    try:
        plan = refreshing.stale_plan(workspace, ask_archive=ask)
    except ArchiveError as error:
        plan, trouble = None, f"; the archive cannot be asked: {error}"
    if ask:
        seen.asked_archive = now
    planning: tuple[Start, ...] = ()
    if plan is not None:
        seen.asked_archive = 0.0  # until the catalogue is that of the archive, ask at every look
        planning = decide([plan], {plan.key: tried(plan)}, now, limits).start
        if not is_given_up(tried(plan), limits):
            return Look(planning, "the archive has changed: planning anew")
        trouble = f"; planning anew failed: {last_error(tried(plan))}"
    if read_manifest(workspace.layout.split()) is None:
        return Look(planning, f"there is no plan yet{trouble}")
    refresh = current_refresh(workspace.layout)
    wanted = refreshing.wanted(workspace, seen.settled, tried)
    decision = decide(wanted, {work.key: tried(work) for work in wanted}, now, limits)
    refresh = refreshing.brought_up_to_date(workspace, refresh, decision.rows, tried)
    write_refresh(workspace.layout, refresh)
    counts = refresh.counts()
    return Look(
        (*planning, *decision.start),
        f"refresh {refresh.number} to {refresh.to_release.name} is {refresh.state}: {counts['partitions_done']} of "
        f"{counts['partitions_asked']} runs done, {counts['partitions_set_aside']} set aside{trouble}",
    )


@dg.sensor(
    jobs=JOBS,
    minimum_interval_seconds=_LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING if _FOLLOWS else dg.DefaultSensorStatus.STOPPED,
    description="Follows the archive: from a new release to new shards, models and reports, only what it affects.",
)
def archive_releases(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.SensorResult:
    """Ask for the runs that are due; a run key is work, inputs and attempt, so nothing is asked for twice."""
    if _is_busy(workspace.layout):
        return dg.SensorResult(
            skip_reason="another command is materialising into this data root", cursor=context.cursor
        )
    seen = Seen.of_cursor(context.cursor)
    found = look(workspace, context.instance, seen, time.time())
    known = set(context.instance.get_dynamic_partitions(str(dataset_partitions.name)))
    new = [dataset for dataset in cohort_datasets(workspace) if dataset not in known]
    return dg.SensorResult(
        run_requests=[run_request(start) for start in found.start],
        dynamic_partitions_requests=[dataset_partitions.build_add_request(new)] if new else [],
        skip_reason=None if found.start else found.says,
        cursor=seen.cursor(),
    )


def run_request(start: Start) -> dg.RunRequest:
    """Return Dagster's request for a run."""
    work: Work = start.work
    return dg.RunRequest(
        run_key=start.run_key, job_name=work.job, partition_key=work.partition or None, tags={WORK_TAG: work.key}
    )


def _is_busy(layout: DataLayout) -> bool:
    """Tell whether a command such as `modality run` works on the data root."""
    if not layout.lock.exists():
        return False
    with layout.lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


daily_refresh = dg.ScheduleDefinition(
    name="daily_refresh",
    job_name=refreshing.PLAN,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING if _FOLLOWS else dg.DefaultScheduleStatus.STOPPED,
    description="Every morning at five (UTC): has the archive changed?",
)


@dg.schedule(
    job_name=refreshing.MODEL,
    cron_schedule=_CHOSEN.retrain_schedule,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING if _FOLLOWS else dg.DefaultScheduleStatus.STOPPED,
    description="Trains again what is stale, where the setting retrain is 'on_schedule'.",
)
def scheduled_retraining(
    context: dg.ScheduleEvaluationContext, workspace: Workspace
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for one run for each stale model."""
    if workspace.settings.retrain != "on_schedule":
        yield dg.SkipReason(f"the setting retrain is {workspace.settings.retrain!r}")
        return
    tried = attempts_by(context.instance)
    for work in refreshing.stale_models(workspace):
        if not any(attempt.ended is None for attempt in tried(work)):
            yield run_request(Start(work, len(tried(work)) + 1))


SCHEDULES = [daily_refresh, scheduled_retraining]
SENSORS = [archive_releases, alerts]
