"""A model trained again over an earlier one: it stands beside it until it proves to be no worse.

What is trained lies below `versions/`; `models/` and `reports/` hold what is promoted, and each changes in one step.
Killed anywhere, the same call goes on from what is complete.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from modality_assets.defs.assets.evaluation_report import build_report, keep_report, report_of
from modality_assets.defs.training import train_into
from modality_assets.defs.workspace import Workspace
from modality_assets.evaluation.promotion import (
    Promotion,
    change_per_dataset,
    decide_promotion,
    read_promotion,
    write_promotion,
)
from modality_assets.layout import DataLayout
from modality_assets.manifest import Manifest, copy_result, digest, read_manifest
from modality_assets.progress import Progress
from modality_assets.results import Counts, Result, make, required_manifest
from modality_assets.studies import TrainingTrial

_CHOSEN = {"seed", "epochs", "plan", "shares", "image_size", "aspect", "cohort", "caps", "policies"}


def chosen_hash(workspace: Workspace, inputs: dict[str, object]) -> str:
    """Return the hash of what people chose of a model, its images left out.

    Two models of the same choices differ by the archive's doing alone, and can be judged on the same images.
    """
    return digest([workspace.settings.model_dump(include=_CHOSEN), {**inputs, "shards": None}])


def superseded(workspace: Workspace, result: Result) -> Manifest | None:
    """Return the promoted model that ``result`` would replace, None where there is none of the same choices."""
    manifest = read_manifest(result.folder)
    if manifest is None or manifest.counts.get("chosen") != chosen_hash(workspace, result.inputs):
        return None
    return manifest


def settled(layout: DataLayout, trial: TrainingTrial, result: Result) -> Result:
    """Return ``result`` where it lies: below `versions/` if it was judged, and the promoted model kept."""
    version = layout.version(trial.architecture, trial.rescaling, result.input_hash)
    decision, promoted = read_promotion(version), read_manifest(result.folder)
    if decision is None or decision.promoted or promoted is None or decision.over != promoted.input_hash:
        return result
    return replace(result, folder=version / "model")


def retrain(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    trial: TrainingTrial,
    result: Result,
    old: Manifest,
    progress: Progress,
) -> Promotion:
    """Train beside the promoted model ``old``, judge both on the shards of now, and publish the new one if it may."""
    layout, run_id = workspace.layout, context.op_execution_context.run_id
    names = (trial.architecture, trial.rescaling)
    version = layout.version(*names, result.input_hash)
    model = replace(result, folder=version / "model")
    start = result.folder if workspace.settings.retrain_from == "previous" else None
    if model.fresh_manifest() is None:
        make(
            model,
            lambda staged: {
                **train_into(context, workspace, trial, model.folder, staged, start),
                "chosen": chosen_hash(workspace, result.inputs),
            },
            run_id=run_id,
        )
    new_report = report_of(workspace, trial, model.folder, version / "report")
    old_report = report_of(workspace, trial, result.folder, layout.report(*names))
    if old_report.fresh_manifest() is None:
        keep_report(layout, trial)
    for report, folder in ((new_report, model.folder), (old_report, result.folder)):
        if report.fresh_manifest() is None:
            make(report, partial(build_report, workspace, trial, folder, progress=progress), run_id=run_id)
    kept = layout.version(*names, old.input_hash)
    copy_result(result.folder, kept / "model")
    then = kept / "report" if read_manifest(kept / "report") is not None else None
    decision = decide_promotion(
        old_report.folder, new_report.folder, margin=workspace.settings.promotion_margin, over=old.input_hash
    )
    change = change_per_dataset(then, old_report.folder, new_report.folder)
    made_of = {"over": old.input_hash, "reports": [old_report.input_hash, new_report.input_hash]}
    judged = Result(
        "promotion", result.partition, version, made_of, "1", shared=True, manifest="promotion.manifest.json"
    )
    make(judged, lambda staged: _write(staged, decision, change), run_id=run_id)
    if decision.promoted:
        promote(layout, trial, version)
    return decision


def _write(staged: Path, decision: Promotion, change: pl.DataFrame) -> Counts:
    write_promotion(staged, decision, change)
    return {"promoted": decision.promoted, "before": decision.before, "after": decision.after}


def promote(layout: DataLayout, trial: TrainingTrial, version: Path) -> None:
    """Make a version the model that everybody sees; its report follows, and until then counts as stale."""
    required_manifest(version / "model", "trained_model", f"{trial.architecture}|{trial.rescaling}")
    copy_result(version / "model", layout.model(trial.architecture, trial.rescaling))
    copy_result(version / "report", layout.report(trial.architecture, trial.rescaling))
