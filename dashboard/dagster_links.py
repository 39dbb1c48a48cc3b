"""Links into the Dagster UI, and what it says of the moment: what runs and what failed."""

import json
import os
import urllib.error
import urllib.request
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
    request = urllib.request.Request(
        f"{base_url()}/graphql",
        data=json.dumps({"query": _QUERY}).encode(),
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
