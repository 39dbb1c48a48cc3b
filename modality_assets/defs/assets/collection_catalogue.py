"""`collection_catalogue`: every series of the archive, each with the decision on it and the reason."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.planning import CATALOGUE_VERSION, build_catalogue, catalogue_result


def _show(folder: Path) -> dict[str, Any]:
    series = pl.scan_parquet(folder / "series.parquet")
    per_dataset = (
        series.group_by("dataset", "modality")
        .agg(
            series=pl.len(),
            kept=pl.col("kept").sum(),
            images=pl.col("planned_images").filter("kept").sum(),
            gigabytes=pl.col("size_bytes").filter("kept").sum() / 1e9,
        )
        .sort("dataset", "modality")
        .collect()
    )
    reasons = series.filter(~pl.col("kept")).group_by("reason").agg(series=pl.len()).sort("series", descending=True)
    return {"datasets": markdown_table(per_dataset), "reasons": markdown_table(reasons.collect())}


@dg.asset(group_name="archive", owners=["team:curators"], kinds={"parquet", "polars"}, code_version=CATALOGUE_VERSION)
def collection_catalogue(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """One row per series of everything the archive offers, with the reason for each row kept or left out."""
    with workspace.open_archive() as archive:
        return materialise(
            context,
            catalogue_result(archive, workspace.layout, workspace.settings),
            lambda staged, progress: build_catalogue(archive, workspace.settings, staged, progress),
            _show,
        )
