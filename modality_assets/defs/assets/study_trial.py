"""`study_trial`: one member of a family that differs in one thing: a training, a trivial baseline, or a probe."""

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg

from modality_assets.defs.assets.evaluation_report import show_report
from modality_assets.defs.assets.trained_model import TIMED, model_result, show_model
from modality_assets.defs.cluster import asks
from modality_assets.defs.honesty import baseline_inputs, baseline_into, probe_inputs, probe_into
from modality_assets.defs.partitions import trial_partitions
from modality_assets.defs.results import materialise
from modality_assets.defs.training import evaluate_into, evaluation_inputs, train_into, training_inputs
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import Manifest
from modality_assets.progress import Progress
from modality_assets.results import Counts, Result
from modality_assets.studies import BaselineTrial, ProbeTrial, TrainingTrial, Trial, all_trials

CODE_VERSION = "1"


def trial_result(workspace: Workspace, key: str) -> Result:
    trial = all_trials(workspace.settings)[key]
    return Result(
        "study_trial",
        key,
        workspace.layout.experiment(trial.study, trial.name),
        _inputs(workspace, trial),
        CODE_VERSION,
        shared=True,  # the checkpoints to resume from lie in the same folder
        timed=(*TIMED, "metrics.json"),
    )


def _inputs(workspace: Workspace, trial: Trial) -> dict[str, Any]:
    match trial:
        case BaselineTrial():
            return baseline_inputs(workspace, trial)
        case ProbeTrial():
            return probe_inputs(workspace, trial)
        case TrainingTrial():
            return {
                "training": training_inputs(workspace, trial),
                "evaluation": evaluation_inputs(workspace, trial.rescaling),
            }


def _make(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    trial: Trial,
    result: Result,
    staged: Path,
    progress: Progress,
) -> Counts:
    match trial:
        case BaselineTrial():
            return baseline_into(workspace, trial, staged, progress)
        case ProbeTrial():
            return probe_into(workspace, trial, staged, progress)
        case TrainingTrial():
            return _train_and_report(context, workspace, trial, result, staged, progress)


def _train_and_report(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    trial: TrainingTrial,
    result: Result,
    staged: Path,
    progress: Progress,
) -> Counts:
    same = _same_model(workspace, trial)
    if same is None:
        counts = train_into(context, workspace, trial, result.folder, staged)
    else:
        folder, manifest = same
        for name in manifest.files:
            shutil.copy2(folder / name, staged / name)
        counts = manifest.counts
    report = evaluate_into(workspace, trial, staged, staged, float(counts["train_seconds"]), progress)
    return {**counts, **report, "trained_anew": same is None}


def _same_model(workspace: Workspace, trial: TrainingTrial) -> tuple[Path, Manifest] | None:
    """Return a trained model made from the very same inputs, where there is one: no training is done twice."""
    if (
        trial.architecture not in workspace.settings.architectures
        or trial.rescaling not in workspace.settings.rescalings
    ):
        return None
    model = model_result(workspace, trial.architecture, trial.rescaling)
    manifest = model.fresh_manifest() if model.inputs == training_inputs(workspace, trial) else None
    # One that went on from earlier weights is another training than the trial's.
    return None if manifest is None or manifest.counts.get("started_from") else (model.folder, manifest)


def _show(folder: Path) -> dict[str, Any]:
    if not (folder / "predictions.parquet").exists():  # a probe, which is figures alone
        return {"metrics": dg.MetadataValue.json(json.loads((folder / "metrics.json").read_text()))}
    of_training = show_model(folder) if (folder / "history.parquet").exists() else {}
    return {**of_training, **show_report(folder)}


@dg.asset(
    partitions_def=trial_partitions,
    group_name="evaluation",
    owners=["team:learning"],
    kinds={"torch", "scikitlearn"},
    deps=[
        dg.AssetDep("rescaled_shards", partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep("trained_model", partition_mapping=dg.AllPartitionMapping()),
    ],
    pool="training",
    code_version=CODE_VERSION,
    op_tags=asks(cores=1, gpus=True),
)
def study_trial(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """One trial of a study: rescaling, regularisation, recipe over seeds, trivial baselines, probe for the dataset."""
    trial = all_trials(workspace.settings)[context.partition_key]
    result = trial_result(workspace, context.partition_key)
    return materialise(
        context,
        result,
        lambda staged, progress: _make(context, workspace, trial, result, staged, progress),
        _show,
    )
