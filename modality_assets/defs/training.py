"""Training and evaluation as the assets share them: one for a model, one for a trial of a study.

The rooms that need torch or scikit-learn are imported where they are used: Dagster loads the assets in
every process, and most runs train nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from modality_assets.defs.results import progress_of
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import sha256_of, whole
from modality_assets.modality import SPLITS
from modality_assets.planning import retired_datasets
from modality_assets.progress import Progress
from modality_assets.results import required_manifest
from modality_assets.settings import SettingsError
from modality_assets.shards.index import read_index
from modality_assets.shards.reader import ShardReader
from modality_assets.studies import MAIN_STUDY, TrainingTrial, Trial

if TYPE_CHECKING:
    from modality_assets.learning.model_files import TrainingResult
    from modality_assets.learning.recipes import Recipe
    from modality_assets.learning.run import TrainingConfig

TRAINING_VERSION = "3"
EVALUATION_VERSION = "3"


def trial_of_model(workspace: Workspace, architecture: str, rescaling: str) -> TrainingTrial:
    """Return a trained model's settings in the form that trials have."""
    return TrainingTrial(
        study=MAIN_STUDY,
        name=f"{architecture}-{rescaling}",
        architecture=architecture,
        rescaling=rescaling,
        recipe=workspace.settings.recipe,
        seed=workspace.settings.seed,
    )


def training_inputs(workspace: Workspace, trial: TrainingTrial) -> dict[str, Any]:
    """Return all that decides the weights: shards, architecture, recipe, seed."""
    return {
        "shards": shard_hashes(workspace, trial.rescaling, ("train", "validate")),
        "architecture": trial.architecture,
        "rescaling": trial.rescaling,
        "recipe": _recipe(trial).record(),
        "pretrained": None if (file := _pretrained(workspace, trial)) is None else sha256_of(file),
        "version": TRAINING_VERSION,
        "seed": trial.seed,
        "epochs": workspace.settings.epochs,
    }


def evaluation_inputs(workspace: Workspace, rescaling: str) -> dict[str, Any]:
    """Return what a report depends on besides its model."""
    return {
        "shards": shard_hashes(workspace, rescaling, SPLITS),
        "decoded_images": decoded_hashes(workspace, rescaling),
        "retired": retired_datasets(workspace.layout),
        "seed": workspace.settings.seed,
        "version": EVALUATION_VERSION,
    }


def decoded_hashes(workspace: Workspace, rescaling: str) -> dict[str, str]:
    """Return the hash of each dataset in the shards: shards know nothing of body part, manufacturer or licence."""
    indices = [read_index(workspace.layout.shards(rescaling, split)) for split in SPLITS]
    datasets = sorted({name for index in indices for name in index.datasets})
    decoded = {name: required_manifest(workspace.layout.decoded(name), "decoded_images", name) for name in datasets}
    return {name: manifest.content_hash for name, manifest in decoded.items()}


def train_into(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    trial: TrainingTrial,
    folder: Path,
    staged: Path,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train, with checkpoints in ``folder`` to resume from, and write the finished model into ``staged``.

    ``start`` is a model whose weights are the first ones; without it they are those of the setting `pretrained`,
    or random. With the network go its calibration, fitted on validate, and the model of native intensities.
    """
    from modality_assets.learning.checkpoints import discard_other_shape
    from modality_assets.learning.inference import load_model, predict
    from modality_assets.learning.model_files import WEIGHTS, InputContract, write_model
    from modality_assets.learning.run import TrainingConfig
    from modality_assets.prediction.of_shards import fit_evidence_of_shards

    settings = workspace.settings
    started_from = start and required_manifest(start, "trained_model").content_hash[:16]
    seen, unseen = (reader_of(workspace, trial.rescaling, split) for split in ("train", "validate"))
    config = TrainingConfig(
        architecture=trial.architecture,
        rescaling=trial.rescaling,
        recipe=_recipe(trial),
        seed=trial.seed,
        epochs=settings.epochs,
        plan=settings.plan,
        pretrained=start / WEIGHTS if start else _pretrained(workspace, trial),
        extra={
            "aspect": settings.aspect,
            "licences": _licences(images_of(workspace, seen)),
            "started_from": started_from,
            "training_version": TRAINING_VERSION,  # a checkpoint of another one is not gone on from
        },
    )
    progress = progress_of(context)
    discard_other_shape(folder, (InputContract.channels, *seen.index.shape))
    write_model(_train(context, workspace, config, seen, unseen, folder), staged)
    fitted = fit_evidence_of_shards(
        staged,
        seen,
        unseen,
        predict(load_model(staged), unseen, progress=progress),
        images=[*images_of(workspace, seen), *images_of(workspace, unseen)],
        seed=trial.seed,
    )
    history = pl.read_ndjson(staged / "history.jsonl")
    history.write_parquet(staged / "history.parquet")
    last = history.row(-1, named=True)
    return {
        "epochs": history.height,
        "train_accuracy": last["train_accuracy"],
        "validate_accuracy": last["validate_accuracy"],
        "train_seconds": float(history["seconds"].sum()),
        "calibration": fitted,
        "started_from": started_from,
    }


def _train(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    config: "TrainingConfig",
    seen: ShardReader,
    unseen: ShardReader,
    folder: Path,
) -> "TrainingResult":
    """Train in this process, or by torchrun on as many ranks and machines as the settings say."""
    from modality_assets.learning.launch import train_on_ranks
    from modality_assets.learning.training import train

    settings = workspace.settings

    def log(row: dict[str, Any]) -> None:
        _log_epoch(context, row)

    if settings.ranks * settings.machines == 1:
        return train(seen, unseen, folder, config, on_epoch=log, progress=progress_of(context))
    if settings.machines > 1 and settings.rendezvous is None:
        raise SettingsError("setting 'rendezvous': several machines need the HOST:PORT of the first of them")
    return train_on_ranks(
        seen,
        unseen,
        folder,
        config,
        ranks=settings.ranks,
        machines=settings.machines,
        rendezvous=settings.rendezvous or "",
        on_epoch=log,
        on_wait=lambda command: context.log.info(f"start on another of the machines: {command}"),
    )


def evaluate_into(
    workspace: Workspace,
    trial: TrainingTrial,
    model_folder: Path,
    staged: Path,
    train_seconds: float,
    progress: Progress,
) -> dict[str, Any]:
    """Predict every image of every split, by each kind of evidence, and write the report into ``staged``."""
    from modality_assets.evaluation.report import write_report
    from modality_assets.learning.inference import load_model, measure_latency, predict
    from modality_assets.prediction.evidence import Evidence
    from modality_assets.prediction.of_shards import predictions_of_shards

    model, evidence = load_model(model_folder), Evidence.load(model_folder)
    tables = []
    for split in SPLITS:
        reader = reader_of(workspace, trial.rescaling, split)
        pixels = predict(model, reader, progress=progress)
        tables.append(predictions_of_shards(reader, pixels, evidence, split=split, images=images_of(workspace, reader)))
    described = describe_trial(workspace, trial, trial.architecture, trial.rescaling, trial.recipe_label)
    timings = {"train_seconds": train_seconds, **measure_latency(model)}
    return write_report(pl.concat(tables), staged, timings=timings, model=described, seed=workspace.settings.seed)


def reader_of(workspace: Workspace, rescaling: str, split: str) -> ShardReader:
    """Open the shards of a split, whole."""
    return ShardReader(whole(workspace.layout.shards(rescaling, split)))


def describe_trial(
    workspace: Workspace, trial: Trial, architecture: str, rescaling: str, recipe: str
) -> dict[str, Any]:
    """Return what metrics.json says of the model that it reports on."""
    return {
        "study": trial.study,
        "trial": trial.name,
        "architecture": architecture,
        "rescaling": rescaling,
        "recipe": recipe,
        "plan": workspace.settings.plan,
        "seed": trial.seed,
        "retired_datasets": retired_datasets(workspace.layout),
    }


def images_of(workspace: Workspace, reader: ShardReader) -> list[pl.DataFrame]:
    """Return the tables of decoded images of the reader's datasets."""
    return [pl.read_parquet(workspace.layout.images_table(name)) for name in reader.index.datasets]


def _licences(images: list[pl.DataFrame]) -> list[str]:
    return sorted({licence for table in images for licence in table["licence"].drop_nulls().unique()})


def _recipe(trial: TrainingTrial) -> "Recipe":
    from modality_assets.learning.recipes import recipe_for, without

    whole = recipe_for(trial.architecture, trial.recipe, **trial.recipe_changes)
    return whole if trial.left_out is None else without(whole, trial.left_out)


def shard_hashes(workspace: Workspace, rescaling: str, splits: Sequence[str]) -> dict[str, str]:
    """Return the content hash of the shards of each split; raise `MissingInputError` where some are not there."""
    folders = {split: workspace.layout.shards(rescaling, split) for split in splits}
    return {
        split: required_manifest(folder, "rescaled_shards", f"{rescaling}|{split}").content_hash
        for split, folder in folders.items()
    }


def _pretrained(workspace: Workspace, trial: TrainingTrial) -> Path | None:
    named = workspace.settings.pretrained.get(trial.architecture)
    if named is None:
        return None
    if not Path(named).is_file():
        raise SettingsError(f"setting 'pretrained': {trial.architecture} names {named}, and there is no such file")
    return Path(named)


def _log_epoch(context: dg.AssetExecutionContext, row: dict[str, Any]) -> None:
    text = (
        "epoch {epoch}: loss {train_loss:.3f}, accuracy {train_accuracy:.3f}; validate loss {validate_loss:.3f}, "
        "accuracy {validate_accuracy:.3f}; {images_per_second:.0f} images/s, {waiting_share:.1%} of the time waiting"
    )
    context.log.info(text.format(**row))
