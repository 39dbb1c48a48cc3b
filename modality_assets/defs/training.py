"""Training and evaluation as the assets share them: one for a model, one for a trial of a study.

The rooms that need torch or scikit-learn are imported where they are used: Dagster loads the assets in
every process, and most runs train nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import progress_of
from modality_assets.defs.workspace import Workspace
from modality_assets.modality import SPLITS
from modality_assets.progress import Progress
from modality_assets.results import required_manifest
from modality_assets.shards.reader import ShardReader
from modality_assets.studies import MAIN_STUDY, Trial

if TYPE_CHECKING:
    from modality_assets.learning.recipes import Recipe

TRAINING_VERSION = "1"
EVALUATION_VERSION = "1"


def trial_of_model(workspace: Workspace, architecture: str, rescaling: str) -> Trial:
    """Return a trained model's settings in the form that trials have."""
    return Trial(MAIN_STUDY, f"{architecture}-{rescaling}", architecture, rescaling, workspace.settings.recipe)


def training_inputs(workspace: Workspace, trial: Trial) -> dict[str, Any]:
    """Return all that decides the weights: shards, architecture, recipe, seed."""
    return {
        "shards": {split: _shards(workspace, trial.rescaling, split).content_hash for split in ("train", "validate")},
        "architecture": trial.architecture,
        "rescaling": trial.rescaling,
        "recipe": _recipe(trial).record(),
        "version": TRAINING_VERSION,
        **workspace.settings.model_dump(include={"seed", "epochs"}),
    }


def evaluation_inputs(workspace: Workspace, rescaling: str) -> dict[str, Any]:
    """Return what a report depends on besides its model."""
    return {
        "shards": {split: _shards(workspace, rescaling, split).content_hash for split in SPLITS},
        "seed": workspace.settings.seed,
        "version": EVALUATION_VERSION,
    }


def train_into(
    context: dg.AssetExecutionContext, workspace: Workspace, trial: Trial, folder: Path, staged: Path
) -> dict[str, Any]:
    """Train, with checkpoints in ``folder`` to resume from, and write the finished model into ``staged``."""
    from modality_assets.learning.model_files import write_model
    from modality_assets.learning.training import TrainingConfig, train

    settings = workspace.settings
    config = TrainingConfig(
        architecture=trial.architecture,
        rescaling=trial.rescaling,
        recipe=_recipe(trial),
        seed=settings.seed,
        epochs=settings.epochs,
        plan=settings.plan,
    )
    images, unseen = (ShardReader(workspace.layout.shards(trial.rescaling, split)) for split in ("train", "validate"))
    trained = train(
        images, unseen, folder, config, on_epoch=lambda row: _log_epoch(context, row), progress=progress_of(context)
    )
    write_model(trained, staged)
    history = pl.read_ndjson(staged / "history.jsonl")
    history.write_parquet(staged / "history.parquet")
    last = history.row(-1, named=True)
    return {
        "epochs": history.height,
        "train_accuracy": last["train_accuracy"],
        "validate_accuracy": last["validate_accuracy"],
        "train_seconds": float(history["seconds"].sum()),
    }


def evaluate_into(
    workspace: Workspace, trial: Trial, model_folder: Path, staged: Path, train_seconds: float, progress: Progress
) -> dict[str, Any]:
    """Predict every image of every split with the model in ``model_folder``, and write its report into ``staged``."""
    from modality_assets.evaluation.predictions import predictions_table
    from modality_assets.evaluation.report import write_report
    from modality_assets.learning.inference import load_model, measure_latency, predict

    model = load_model(model_folder)
    tables = []
    for split in SPLITS:
        reader = ShardReader(workspace.layout.shards(trial.rescaling, split))
        probabilities = predict(model, reader, progress=progress)
        tables.append(
            predictions_table(
                reader.provenance,
                reader.labels,
                probabilities,
                split=split,
                images=(
                    pl.read_parquet(workspace.layout.decoded(name) / "images.parquet") for name in reader.index.datasets
                ),
            )
        )
    described = {
        "study": trial.study,
        "trial": trial.name,
        "architecture": trial.architecture,
        "rescaling": trial.rescaling,
        "recipe": trial.recipe,
        "plan": workspace.settings.plan,
        "seed": workspace.settings.seed,
    }
    latency = measure_latency(model)
    timings = {"train_seconds": train_seconds, "predict_ms_per_image": latency["batch_128_ms_per_image"], **latency}
    return write_report(pl.concat(tables), staged, timings=timings, model=described, seed=workspace.settings.seed)


def _recipe(trial: Trial) -> "Recipe":
    from modality_assets.learning.recipes import recipe

    return recipe(trial.recipe, **trial.recipe_changes)


def _shards(workspace: Workspace, rescaling: str, split: str) -> Any:
    return required_manifest(workspace.layout.shards(rescaling, split), "rescaled_shards", f"{rescaling}|{split}")


def _log_epoch(context: dg.AssetExecutionContext, row: dict[str, Any]) -> None:
    context.log.info(
        "epoch {epoch}: loss {train_loss:.3f}, accuracy {train_accuracy:.3f}; validate loss {validate_loss:.3f}, "
        "accuracy {validate_accuracy:.3f}; {images_per_second:.0f} images/s".format(**row)
    )
