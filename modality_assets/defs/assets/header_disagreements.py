"""`header_disagreements`: the series whose pixels and header differ."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.evaluation.disagreements import disagreements
from modality_assets.progress import Progress
from modality_assets.results import Counts, MissingInputError, Result, complete, required_manifest

CODE_VERSION = "1"


def disagreements_result(workspace: Workspace) -> Result:
    inputs = {
        "reports": [manifest.content_hash for manifest in complete(workspace.layout.report_folders).values()],
        "catalogue": required_manifest(workspace.layout.catalogue, "collection_catalogue").content_hash,
    }
    return Result(
        "header_disagreements",
        None,
        workspace.layout.reports,
        inputs,
        CODE_VERSION,
        shared=True,
        manifest="disagreements.manifest.json",
    )


def _make(workspace: Workspace, staged: Path, _progress: Progress) -> Counts:
    predictions = [
        pl.read_parquet(folder / "predictions.parquet").with_columns(
            model=pl.lit(f"{folder.parent.name}|{folder.name}")
        )
        for folder in complete(workspace.layout.report_folders)
    ]
    if not predictions:
        raise MissingInputError("there is no evaluation_report yet: materialise at least one of its partitions first")
    table = disagreements(pl.concat(predictions), pl.read_parquet(workspace.layout.series_table))
    table.write_parquet(staged / "disagreements.parquet")
    return {"series": table.height}


def _show(folder: Path) -> dict[str, Any]:
    return {"most_confident": markdown_table(pl.read_parquet(folder / "disagreements.parquet"), rows=30)}


@dg.asset(
    group_name="evaluation",
    owners=["team:curators"],
    kinds={"parquet", "polars"},
    deps=["evaluation_report", "collection_catalogue"],
    code_version=CODE_VERSION,
)
def header_disagreements(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Series where the models are confident and the header says otherwise: what a curator wants to look at."""
    return materialise(
        context, disagreements_result(workspace), lambda staged, progress: _make(workspace, staged, progress), _show
    )
