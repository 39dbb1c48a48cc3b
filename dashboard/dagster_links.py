"""Links into the Dagster UI, and what it says of the moment: what runs and what failed."""

import json
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

DEFAULT_URL = "http://127.0.0.1:3000"
_SECONDS = 8.0
_QUERY = """
query Dashboard {
  assetNodes { assetKey { path } staleStatus
    partitionStats { numMaterialized numPartitions numFailed numMaterializing } }
  runsOrError(filter: {statuses: [QUEUED, STARTING, STARTED]}, limit: 50) {
    ... on Runs { results { runId status } } }
}
"""


_CHECKS = """
query Checks {
  assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
    name description blocking
    executionForLatestMaterialization { status timestamp evaluation { success severity metadataEntries {
      label ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } } } } } } } }
}
"""


class DagsterUnreachableError(Exception):
    """The Dagster UI does not answer, or not in its language."""


def base_url() -> str:
    """Return the address of the Dagster UI (MODALITY_DAGSTER_URL), without a slash at its end."""
    return os.environ.get("MODALITY_DAGSTER_URL", DEFAULT_URL).rstrip("/")


def asset_url(asset: str, partition: str | None = None) -> str:
    """Return the page of an asset, or of one partition of it."""
    page = f"{base_url()}/assets/{quote(asset)}"
    return page if partition is None else f"{page}?view=partitions&partition={quote(partition)}"


def graph_state() -> dict[str, Any]:
    """Ask Dagster's GraphQL API for stale assets, partitions and runs; raise `DagsterUnreachableError`."""
    return _ask(_QUERY)


def check_results() -> list[dict[str, Any]]:
    """Ask Dagster for every check: asset, check, description, state, found, when_utc, blocking.

    ``state`` is 'passed', 'failed' (an error), 'warned', 'not run', or 'running'. Raises `DagsterUnreachableError`.
    """
    rows = []
    for node in _ask(_CHECKS).get("assetNodes", []):
        for one in (node.get("assetChecksOrError") or {}).get("checks", []):
            run = one.get("executionForLatestMaterialization") or {}
            evaluation = run.get("evaluation") or {}
            at = run.get("timestamp")
            rows.append(
                {
                    "asset": node["assetKey"]["path"][-1],
                    "check": one["name"],
                    "description": one.get("description") or "",
                    "state": _state_of_check(run, evaluation),
                    "found": _found(evaluation.get("metadataEntries") or []),
                    "when_utc": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else None,
                    "blocking": bool(one.get("blocking")),
                }
            )
    return rows


def _state_of_check(run: dict[str, Any], evaluation: dict[str, Any]) -> str:
    if not run:
        return "not run"
    if not evaluation:
        return "running" if run.get("status") == "IN_PROGRESS" else "not run"
    if evaluation["success"]:
        return "passed"
    return "failed" if evaluation.get("severity") == "ERROR" else "warned"


def _found(entries: list[dict[str, Any]]) -> str:
    """What a check says of itself in short texts and JSON; empty lists and objects say nothing."""
    said = []
    for entry in entries:
        text = entry.get("text") or entry.get("jsonString") or ""
        if text and text not in ("{}", "[]"):
            said.append(text if entry["label"] == "found" else f"{entry['label'].replace('_', ' ')}: {text}")
    return "; ".join(said)


def _ask(query: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{base_url()}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
    except (OSError, ValueError, KeyError, urllib.error.URLError) as error:
        raise DagsterUnreachableError(f"{base_url()} does not answer ({error})") from None
    if not isinstance(found, dict):
        raise DagsterUnreachableError(f"{base_url()} answered without data")
    return found


def in_words(state: dict[str, Any]) -> str:
    """Return what `graph_state` found as one sentence: stale assets, failed and running parts, runs under way."""
    stale, failed, running = [], [], []
    for node in state.get("assetNodes", []):
        name = f"`{node['assetKey']['path'][-1]}`"
        parts = node.get("partitionStats") or {}
        if node.get("staleStatus") == "STALE":
            stale.append(name)
        if parts.get("numFailed"):
            failed.append(f"{name} ({parts['numFailed']} parts)")
        if parts.get("numMaterializing"):
            running.append(f"{name} ({parts['numMaterializing']} parts)")
    runs = len(state.get("runsOrError", {}).get("results", []))
    said = [
        f"stale: {', '.join(stale)}" if stale else "nothing is stale",
        f"failed: {', '.join(failed)}" if failed else "no part has failed",
        f"running: {', '.join(running) or 'no parts'}, {runs} runs" if running or runs else "nothing is running",
    ]
    return "; ".join(said) + "."
