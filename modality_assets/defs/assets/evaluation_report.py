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
from modality_assets.layout import DataLayout
from modality_assets.manifest import copy_result, read_manifest
from modality_assets.progress import Progress
from modality_assets.results import Counts, Result, required_manifest
from modality_assets.studies import TrainingTrial

CODE_VERSION = "1"


def report_of(workspace: Workspace, trial: TrainingTrial, model: Path, folder: Path) -> Result:
    """Return what the report in ``folder`` on the model in another folder would be made from now."""
    partition = f"{trial.architecture}|{trial.rescaling}"
    inputs = {
        "model": required_manifest(model, "trained_model", partition).content_hash,
        **evaluation_inputs(workspace, trial.rescaling),
    }
    return Result("evaluation_report", partition, folder, inputs, CODE_VERSION, timed=("metrics.json",))


def report_result(workspace: Workspace, architecture: str, rescaling: str) -> Result:
    trial, layout = trial_of_model(workspace, architecture, rescaling), workspace.layout
    return report_of(workspace, trial, layout.model(architecture, rescaling), layout.report(architecture, rescaling))


def build_report(workspace: Workspace, trial: TrainingTrial, model: Path, staged: Path, progress: Progress) -> Counts:
    """Write the report on the model in ``model``."""
    manifest = required_manifest(model, "trained_model", f"{trial.architecture}|{trial.rescaling}")
    seconds = float(manifest.counts["train_seconds"])
    counts = evaluate_into(workspace, trial, model, staged, seconds, progress)
    return {**counts, "model": manifest.content_hash[:16]}


def keep_report(layout: DataLayout, trial: TrainingTrial) -> None:
    """Keep the report on the promoted model before one on other shards takes its place."""
    model = read_manifest(layout.model(trial.architecture, trial.rescaling))
    report = read_manifest(layout.report(trial.architecture, trial.rescaling))
    if model is None or report is None or report.counts.get("model") != model.content_hash[:16]:
        return
    version = layout.version(trial.architecture, trial.rescaling, model.input_hash)
    copy_result(layout.report(trial.architecture, trial.rescaling), version / "report")


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
    layout, trial = workspace.layout, trial_of_model(workspace, architecture, rescaling)
    result = report_result(workspace, architecture, rescaling)
    if result.fresh_manifest() is None:
        keep_report(layout, trial)
    return materialise(
        context,
        result,
        lambda staged, progress: build_report(
            workspace, trial, layout.model(architecture, rescaling), staged, progress
        ),
        show_report,
    )
