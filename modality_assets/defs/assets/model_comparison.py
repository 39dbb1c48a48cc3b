"""`model_comparison`: every model side by side, beside the published figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from modality_assets.catalogue import published
from modality_assets.defs.results import materialise
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import Manifest, digest
from modality_assets.progress import Progress
from modality_assets.results import Counts, Result, complete

if TYPE_CHECKING:
    from modality_assets.evaluation.comparison import ReportRef

CODE_VERSION = "1"


def finished_reports(workspace: Workspace) -> dict[Path, Manifest]:
    """Return the folder and manifest of every complete report: models first, then the trials of studies."""
    found = complete([*workspace.layout.report_folders, *workspace.layout.experiment_folders])
    return {folder: manifest for folder, manifest in found.items() if "predictions.parquet" in manifest.files}


def finished_probes(workspace: Workspace) -> dict[Path, Manifest]:
    """Return the folder and manifest of every complete probe, which has figures and no predictions."""
    found = complete(workspace.layout.experiment_folders)
    return {folder: manifest for folder, manifest in found.items() if "predictions.parquet" not in manifest.files}


def comparison_result(workspace: Workspace) -> Result:
    finished = {**finished_reports(workspace), **finished_probes(workspace)}
    reports = {
        # By the inputs of a probe: its figures lie in metrics.json, which the content hash leaves out.
        folder.relative_to(workspace.layout.root).as_posix(): [manifest.input_hash, manifest.content_hash]
        for folder, manifest in finished.items()
    }
    inputs = {"reports": reports, "published": digest(published.results().rows())}
    return Result("model_comparison", None, workspace.layout.reports, inputs, CODE_VERSION, shared=True)


def _reference(folder: Path) -> "ReportRef":
    from modality_assets.evaluation.comparison import ReportRef
    from modality_assets.evaluation.report import read_metrics

    found = read_metrics(folder)
    model = {name: found["model"][name] for name in ("study", "architecture", "rescaling", "recipe", "plan", "seed")}
    return ReportRef(folder, **model, train_seconds=found["timings"]["train_seconds"])


def _make(workspace: Workspace, staged: Path, _progress: Progress) -> Counts:
    from modality_assets.evaluation.comparison import compare
    from modality_assets.evaluation.probe import probe_table

    table = compare([_reference(folder) for folder in finished_reports(workspace)], published.results())
    table.write_parquet(staged / "comparison.parquet")
    probes = probe_table({folder.name: _metrics(folder) for folder in finished_probes(workspace)})
    probes.write_parquet(staged / "probes.parquet")
    return {"models": len(finished_reports(workspace)), "rows": table.height, "probes": probes.height}


def _metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def _show(folder: Path) -> dict[str, Any]:
    table = pl.read_parquet(folder / "comparison.parquet").filter(split="test").sort("accuracy", descending=True)
    columns = ["source", "study", "architecture", "rescaling", "accuracy", "ci_low", "ci_high", "balanced_accuracy"]
    probes = pl.read_parquet(folder / "probes.parquet")
    return {"test": markdown_table(table.select(columns)), "probes": markdown_table(probes)}


@dg.asset(
    group_name="evaluation",
    owners=["team:learning"],
    kinds={"parquet", "polars"},
    deps=["evaluation_report", "study_trial"],
    code_version=CODE_VERSION,
)
def model_comparison(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Every model and trial side by side on train, validate and test, beside the published figures."""
    return materialise(
        context, comparison_result(workspace), lambda staged, progress: _make(workspace, staged, progress), _show
    )
