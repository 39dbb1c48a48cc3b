"""How far each step of the graph is, as the results on disk say."""

from typing import Any

import polars as pl

from dashboard import labels
from dashboard.dagster_links import asset_url
from dashboard.results import Results
from modality_assets.manifest import Manifest

_STATES = {"made": "✓ made", "incomplete": "◐ incomplete", "missing": "✗ missing"}


def state_of_assets(results: Results) -> pl.DataFrame:
    """Return a row per asset: Step, State on disk, Parts, Last made, Seconds, In Dagster, asset."""
    settings = results.settings()
    plan = results.quality.manifests("split_plan")
    datasets = set(results.split.plan()[0]["dataset"]) if plan else set()
    models = len(settings.architectures) * len(settings.rescalings)
    expected = {
        "source_files": len(datasets),
        "decoded_images": len(datasets),
        "rescaled_shards": 3 * len(settings.rescalings),
        "trained_model": models,
        "evaluation_report": models,
    }
    found = {asset: results.quality.manifests(asset) for asset in labels.ASSETS}
    return pl.DataFrame([_row(asset, found, expected) for asset in labels.ASSETS])


def _row(asset: str, found: dict[str, list[Manifest]], expected: dict[str, int]) -> dict[str, Any]:
    parts, wanted = found[asset], max(expected.get(asset, 1), 1)
    incomplete = any(one.counts.get("incomplete") for one in parts)
    made = max((one.created_utc for one in parts), default=None)
    state = "missing" if not parts else "incomplete" if len(parts) < wanted or incomplete else "made"
    return {
        "Step": labels.ASSETS[asset],
        "State on disk": _STATES[state],
        "Parts": f"{len(parts)} of {wanted}" if asset in expected and len(parts) <= wanted else str(len(parts)),
        "Last made": labels.moment(made) if made else "–",
        "Seconds": sum(one.seconds for one in parts),
        "In Dagster": asset_url(asset),
        "asset": asset,
    }
