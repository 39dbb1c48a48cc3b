"""`alerts`: tells a webhook of runs that failed for good and of checks that began to fail, and when they pass again."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg
import httpx
from dagster import RunStatusChangeRecordsFilter
from tenacity import retry, stop_after_attempt, wait_exponential

from modality_assets.defs.workspace import Workspace

WEBHOOK = "MODALITY_WEBHOOK"
"""Environment variable: where alerts are posted as JSON; ``text`` is what Slack, Mattermost and Teams show."""

_AT_ONCE = 50
_SECONDS = 10.0
_RETRIED = "dagster/will_retry"


@dataclass(frozen=True)
class Alert:
    """One thing that a person should know: ``kind`` is 'run failed', 'check failed' or 'check passes again'."""

    kind: str
    name: str
    detail: str
    run_id: str | None = None

    @property
    def sentence(self) -> str:
        return f"{self.kind}: {self.name}{f' – {self.detail}' if self.detail else ''}"


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Posts failed runs and failed checks to the URL in {WEBHOOK}; does nothing without one.",
)
def alerts(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.SkipReason:
    """Post what is new since the last look. The cursor moves on only when the webhook took it, so nothing is lost."""
    url = os.environ.get(WEBHOOK, "")
    if not url:
        return dg.SkipReason(f"{WEBHOOK} names no URL")
    last, failing = _seen(context)
    failures, last = failed_runs(context.instance, last)
    checks, failing = changed_checks(context, failing)
    found = [*failures, *checks]
    if found:
        post(url, found, workspace)
    context.update_cursor(json.dumps({"run": last, "failing": failing}))
    return dg.SkipReason(f"{len(found)} alerts posted" if found else "nothing new")


def failed_runs(instance: dg.DagsterInstance, after: int) -> tuple[list[Alert], int]:
    """Return the runs that failed after the event ``after`` and are not retried, and the last event looked at."""
    wanted = RunStatusChangeRecordsFilter(event_type=dg.DagsterEventType.RUN_FAILURE, after_storage_id=after)
    records = instance.fetch_run_status_changes(wanted, limit=_AT_ONCE, ascending=True).records
    found = []
    for record in records:
        run = instance.get_run_by_id(record.event_log_entry.run_id)
        if run is None or run.tags.get(_RETRIED) == "true":
            continue
        partition = run.tags.get("dagster/partition")
        name = f"{run.job_name} [{partition}]" if partition else run.job_name
        found.append(Alert("run failed", name, _first_line(record.event_log_entry.message), run.run_id))
    return found, max([after, *(record.storage_id for record in records)])


def changed_checks(context: dg.SensorEvaluationContext, failing: Sequence[str]) -> tuple[list[Alert], list[str]]:
    """Return the checks that fail and did not before, and those that pass again; and the names of all that fail."""
    keys = sorted(context.repository_def.asset_graph.asset_check_keys) if context.repository_def else []
    found, now = [], []
    for key, record in sorted(context.instance.event_log_storage.get_asset_check_summary_records(keys).items()):
        name = f"{key.asset_key.to_user_string()}:{key.name}"
        execution = record.last_completed_check_execution_record
        event = execution.event.dagster_event if execution and execution.event else None
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        run_id = execution.run_id if execution else None
        if not evaluation.passed:
            now.append(name)
            if name not in failing:
                found.append(Alert("check failed", name, evaluation.severity.value.lower(), run_id))
        elif name in failing:
            found.append(Alert("check passes again", name, "", run_id))
    return found, now


@retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.5), reraise=True)
def post(url: str, found: Sequence[Alert], workspace: Workspace) -> None:
    """Post the alerts as one message; raise httpx.HTTPError where the webhook does not take it at three attempts."""
    lines = [one.sentence for one in found]
    body: dict[str, Any] = {
        "text": "\n".join([f"modality, {workspace.archive}: {len(lines)} alerts", *lines]),
        "archive": workspace.archive,
        "data": workspace.layout.address,
        "alerts": [asdict(one) for one in found],
    }
    httpx.post(url, json=body, timeout=_SECONDS).raise_for_status()


def _seen(context: dg.SensorEvaluationContext) -> tuple[int, list[str]]:
    """Return the cursor; at the first look, what failed before is old news."""
    if context.cursor:
        cursor = json.loads(context.cursor)
        return int(cursor["run"]), list(cursor["failing"])
    newest = context.instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return (newest[0].storage_id if newest else 0), []


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
