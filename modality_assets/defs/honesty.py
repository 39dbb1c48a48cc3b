"""The honesty tools as trials of studies: what a trivial baseline gets right, and what features know of the dataset.

Both are fitted on the CPU in seconds, whatever the size of the archive: baselines read tables and no pixels, the
probe a few hundred images of each dataset.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from modality_assets.defs.training import decoded_hashes, describe_trial, images_of, reader_of, shard_hashes
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import whole, write_json
from modality_assets.modality import SPLITS
from modality_assets.progress import Progress
from modality_assets.results import required_manifest
from modality_assets.studies import NOTHING, BaselineTrial, ProbeTrial

BASELINE_VERSION = "1"
PROBE_VERSION = "1"


def baseline_inputs(workspace: Workspace, trial: BaselineTrial) -> dict[str, Any]:
    """Return all that decides a baseline's report: the images, what is known of them, and the seed."""
    return {
        "shards": shard_hashes(workspace, trial.rescaling, SPLITS),
        "decoded_images": decoded_hashes(workspace, trial.rescaling),
        "baseline": trial.baseline,
        "seed": trial.seed,
        "version": BASELINE_VERSION,
    }


def baseline_into(workspace: Workspace, trial: BaselineTrial, staged: Path, _progress: Progress) -> dict[str, Any]:
    """Fit a baseline to train, and write the same report into ``staged`` that a model has."""
    from modality_assets.evaluation.baselines import COLUMNS, baseline_predictions
    from modality_assets.evaluation.image_facts import rows_of_images
    from modality_assets.evaluation.report import write_report

    splits = {}
    for split in SPLITS:
        reader = reader_of(workspace, trial.rescaling, split)
        splits[split] = rows_of_images(reader.provenance, images_of(workspace, reader), COLUMNS)
    started = time.perf_counter()
    predictions = baseline_predictions(trial.baseline, splits, seed=trial.seed)
    timings = {"train_seconds": time.perf_counter() - started}
    described = describe_trial(workspace, trial, trial.baseline, NOTHING, NOTHING)
    return write_report(predictions, staged, timings=timings, model=described, seed=trial.seed)


def probe_inputs(workspace: Workspace, trial: ProbeTrial) -> dict[str, Any]:
    """Return all that decides a probe's figures: the model, the images, the seed."""
    model = required_manifest(
        workspace.layout.model(trial.architecture, trial.rescaling),
        "trained_model",
        f"{trial.architecture}|{trial.rescaling}",
    )
    return {
        "model": model.content_hash,
        "shards": shard_hashes(workspace, trial.rescaling, SPLITS),
        "seed": trial.seed,
        "version": PROBE_VERSION,
    }


def probe_into(workspace: Workspace, trial: ProbeTrial, staged: Path, progress: Progress) -> dict[str, Any]:
    """Probe a trained model's features for the dataset, beside those of the same network untrained."""
    from modality_assets.evaluation.probe import choose_images, probe_datasets
    from modality_assets.evaluation.report import METRICS, without_nan
    from modality_assets.learning.inference import features, load_model, untrained

    started = time.perf_counter()
    model = load_model(whole(workspace.layout.model(trial.architecture, trial.rescaling)))
    readers = [reader_of(workspace, trial.rescaling, split) for split in SPLITS]
    labels = np.concatenate([reader.labels for reader in readers]).astype(np.int64)
    datasets = np.concatenate([np.array(reader.index.datasets)[reader.dataset_codes] for reader in readers])
    patients, series = (
        np.concatenate([reader.provenance[key] for reader in readers]) for key in ("patient_id", "series_uid")
    )
    images = choose_images(datasets, patients, series, seed=trial.seed)
    first_rows = np.cumsum([0, *map(len, readers)])
    figures = {}
    for name, network in (("probe", model), ("untrained", untrained(model, seed=trial.seed))):
        found = [
            features(network, reader, rows=some[(some >= 0) & (some < len(reader))], progress=progress)
            for reader, some in (
                (reader, images.rows - first) for reader, first in zip(readers, first_rows, strict=False)
            )
        ]
        figures[name] = probe_datasets(np.concatenate(found), datasets, labels, images).record()
    described = describe_trial(workspace, trial, trial.architecture, trial.rescaling, model.config["recipe"]["name"])
    timings = {"probe_seconds": time.perf_counter() - started}
    write_json(staged / METRICS, without_nan({"model": described, "timings": timings, **figures}))
    return {
        "datasets": figures["probe"]["datasets"],
        "images": figures["probe"]["images"],
        **{f"probe_{name}": figures["probe"][name] for name in ("accuracy", "from_class", "chance", "shortcut")},
        "untrained_accuracy": figures["untrained"]["accuracy"],
    }
