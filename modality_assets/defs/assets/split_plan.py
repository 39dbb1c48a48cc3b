"""`split_plan`: each dataset's place in train, validate or test, and why it is there."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.planning import SPLIT_VERSION, build_split, split_result


def _show(folder: Path) -> dict[str, Any]:
    record = json.loads((folder / "plan.json").read_text())
    datasets = pl.read_parquet(folder / "datasets.parquet").sort("split", "dataset")
    cells = pl.DataFrame(record["cells"])
    relaxed = [str(one["text"]) for one in record["relaxed"]]
    return {
        "images": markdown_table(
            cells.pivot("split", index="modality", values="images").join(
                cells.pivot("split", index="modality", values="datasets"), on="modality", suffix=" (datasets)"
            )
        ),
        "relaxed": dg.MetadataValue.md("\n".join(f"- {text}" for text in relaxed) or "nothing"),
        "body_parts": markdown_table(pl.DataFrame(record["body_parts"]), rows=150),
        "leakage_groups": markdown_table(pl.DataFrame(record["leakage_groups"])),
        "worst_deviation": float(record["deviation"]["worst"]),
        "assignment": markdown_table(datasets.select("dataset", "split", "pinned", "group", "reason"), rows=150),
        "record": dg.MetadataValue.json(record),
    }


@dg.asset(
    group_name="split",
    owners=["team:curators"],
    kinds={"parquet", "scipy"},
    deps=["cohort"],
    code_version=SPLIT_VERSION,
)
def split_plan(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Dataset → train / validate / test, the constraints met, the ones relaxed, the proof gap."""
    layout, settings = workspace.layout, workspace.settings
    return materialise(
        context,
        split_result(layout, settings),
        lambda staged, _progress: build_split(layout, settings, staged),
        _show,
    )
