"""`model_comparison`: every model side by side, beside the published figures."""

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
    return complete([*workspace.layout.report_folders, *workspace.layout.experiment_folders])


def comparison_result(workspace: Workspace) -> Result:
    reports = {
        folder.relative_to(workspace.layout.root).as_posix(): manifest.content_hash
        for folder, manifest in finished_reports(workspace).items()
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

    table = compare([_reference(folder) for folder in finished_reports(workspace)], published.results())
    table.write_parquet(staged / "comparison.parquet")
    return {"models": len(finished_reports(workspace)), "rows": table.height}


def _show(folder: Path) -> dict[str, Any]:
    table = pl.read_parquet(folder / "comparison.parquet").filter(split="test").sort("accuracy", descending=True)
    columns = ["source", "study", "architecture", "rescaling", "accuracy", "ci_low", "ci_high", "balanced_accuracy"]
    return {"test": markdown_table(table.select(columns))}


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
