"""`cohort`: the series chosen under the caps and the budget, and the lock file that reproduces the choice."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.planning import COHORT_VERSION, build_cohort, cohort_result


def _show(folder: Path) -> dict[str, Any]:
    chosen = pl.read_parquet(folder / "series.parquet")
    classes = chosen.group_by("modality").agg(
        datasets=pl.col("dataset").n_unique(), series=pl.len(), images=pl.col("planned_images").sum()
    )
    return {"classes": markdown_table(classes.sort("modality"))}


@dg.asset(
    group_name="split",
    owners=["team:curators"],
    kinds={"parquet", "polars"},
    deps=["collection_catalogue"],
    code_version=COHORT_VERSION,
)
def cohort(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """The series chosen under the caps and the budget, and a lock file that reproduces the choice."""
    layout, settings = workspace.layout, workspace.settings
    return materialise(
        context,
        cohort_result(layout, settings),
        lambda staged, _progress: build_cohort(layout, settings, staged),
        _show,
    )
