"""`evaluation_report`: every prediction of one model, and what they add up to per dataset."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.cluster import asks
from modality_assets.defs.partitions import model_partitions
from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.training import evaluate_into, evaluation_inputs, trial_of_model
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import Manifest
from modality_assets.progress import Progress
from modality_assets.results import Counts, Result, required_manifest

CODE_VERSION = "1"


def report_result(workspace: Workspace, architecture: str, rescaling: str) -> Result:
    inputs = {
        "model": _model(workspace, architecture, rescaling).content_hash,
        **evaluation_inputs(workspace, rescaling),
    }
    folder = workspace.layout.report(architecture, rescaling)
    return Result(
        "evaluation_report", f"{architecture}|{rescaling}", folder, inputs, CODE_VERSION, timed=("metrics.json",)
    )


def _model(workspace: Workspace, architecture: str, rescaling: str) -> Manifest:
    folder = workspace.layout.model(architecture, rescaling)
    return required_manifest(folder, "trained_model", f"{architecture}|{rescaling}")


def _make(workspace: Workspace, architecture: str, rescaling: str, staged: Path, progress: Progress) -> Counts:
    return evaluate_into(
        workspace,
        trial_of_model(workspace, architecture, rescaling),
        workspace.layout.model(architecture, rescaling),
        staged,
        float(_model(workspace, architecture, rescaling).counts["train_seconds"]),
        progress,
    )


def show_report(folder: Path) -> dict[str, Any]:
    """Return the per-dataset table, worst first, and the metrics of each split."""
    per_dataset = pl.read_parquet(folder / "per_dataset.parquet").sort("accuracy")
    return {
        "per_dataset": markdown_table(per_dataset.filter(split="test")),
        "metrics": dg.MetadataValue.json(json.loads((folder / "metrics.json").read_text())),
    }


@dg.asset(
    partitions_def=model_partitions,
    group_name="evaluation",
    owners=["team:learning"],
    kinds={"parquet", "scikitlearn"},
    deps=["trained_model"],
    pool="training",
    code_version=CODE_VERSION,
    op_tags=asks(cores=1, gpus=True),
)
def evaluation_report(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Predictions per image, metrics, per-dataset table, confusion matrices, timings."""
    architecture, rescaling = (context.partition_key.keys_by_dimension[name] for name in ("architecture", "rescaling"))
    return materialise(
        context,
        report_result(workspace, architecture, rescaling),
        lambda staged, progress: _make(workspace, architecture, rescaling, staged, progress),
        show_report,
    )
