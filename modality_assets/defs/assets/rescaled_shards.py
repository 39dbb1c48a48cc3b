"""`rescaled_shards`: the shuffled, memory-mappable images of one split under one rescaling."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from modality_assets.defs.cluster import asks
from modality_assets.defs.partitions import shard_partitions
from modality_assets.defs.results import materialise
from modality_assets.defs.tables import contact_sheet, markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import Manifest, manifest_on_disk, sound_manifest, whole
from modality_assets.modality import CLASSES
from modality_assets.progress import Progress
from modality_assets.refresh.record import read_set_aside
from modality_assets.results import Built, MissingInputError, Result, complete, required_manifest
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards

CODE_VERSION = "1"


def required_datasets(workspace: Workspace, split: str) -> list[str]:
    """Return the plan's datasets of a split, less the retired, those excluded with a reason, and those set aside.

    A dataset set aside by a refresh, as no attempt at it went well, still counts where it was decoded before.
    """
    layout = workspace.layout
    required_manifest(layout.split(), "split_plan")
    planned = pl.read_parquet(layout.split_table()).filter(split=split)["dataset"].to_list()
    in_cohort = set(pl.scan_parquet(layout.cohort_table).select("dataset").unique().collect()["dataset"])
    aside = {dataset for dataset in read_set_aside(layout) if sound_manifest(layout.decoded(dataset)) is None}
    return sorted(set(planned) & in_cohort - set(workspace.settings.excluded) - aside)


def decoded_manifests(workspace: Workspace, split: str) -> dict[str, Manifest]:
    """Return the manifest of every required dataset of a split; raise `MissingInputError` naming those without.

    Dagster's `AllPartitionMapping` does not prove that every partition upstream exists; this does.
    """
    found = {
        dataset: sound_manifest(workspace.layout.decoded(dataset)) for dataset in required_datasets(workspace, split)
    }
    missing = [dataset for dataset, manifest in found.items() if manifest is None]
    if missing:
        raise MissingInputError(
            f"split {split!r} needs decoded_images of {', '.join(missing)}: materialise "
            f"{'it' if len(missing) == 1 else 'them'}, or leave {'it' if len(missing) == 1 else 'them'} out with a "
            "reason in the setting 'excluded'"
        )
    return {dataset: manifest for dataset, manifest in found.items() if manifest is not None}


def shards_result(workspace: Workspace, rescaling: str, split: str) -> Result:
    decoded = decoded_manifests(workspace, split)
    inputs = {
        "decoded_images": {dataset: manifest.content_hash for dataset, manifest in decoded.items()},
        "rescaling": rescaling,
        **workspace.settings.model_dump(include={"seed", "caps"}),
    }
    return Result(
        "rescaled_shards", f"{rescaling}|{split}", workspace.layout.shards(rescaling, split), inputs, CODE_VERSION
    )


def _make(workspace: Workspace, rescaling: str, split: str, staged: Path, progress: Progress) -> Built:
    settings = workspace.settings
    index = write_shards(
        [whole(workspace.layout.decoded(dataset)) for dataset in decoded_manifests(workspace, split)],
        staged,
        split=split,
        rescaling=rescaling,
        seed=settings.seed,
        caps=settings.caps,
        progress=progress,
        reuse=_earlier(workspace, split),
    )
    counts = {"images": index.images, "datasets": len(index.datasets), "mean": index.mean, "std": index.std}
    return Built(counts, {file.name: file.sha256 for file in (*index.files, *index.arrays)})


def _earlier(workspace: Workspace, split: str) -> list[Path]:
    """Return shards of this split on disk: the same images under another rescaling are the same pixel files."""
    return [
        folder
        for folder in complete(workspace.layout.shard_folders)
        if folder.name == split and manifest_on_disk(folder) is not None
    ]


def _show(folder: Path) -> dict[str, Any]:
    reader = ShardReader(folder)
    shown = np.arange(min(16, len(reader)))
    scale, offset = reader.affine[shown].astype(np.float64).T[:, :, None, None]
    rescaled = np.clip(reader.gather(shown) / 65535 * scale + offset, 0, 1)
    counts = np.bincount(reader.labels, minlength=len(CLASSES))
    names = [CLASSES[label] for label in reader.labels[shown]]
    return {
        "first_images": contact_sheet((rescaled * 255).astype(np.uint8), names),
        "classes": markdown_table(pl.DataFrame({"class": CLASSES, "images": counts.tolist()})),
    }


@dg.asset(
    partitions_def=shard_partitions,
    group_name="images",
    owners=["team:imaging"],
    kinds={"numpy"},
    deps=["split_plan", dg.AssetDep("decoded_images", partition_mapping=dg.AllPartitionMapping())],
    code_version=CODE_VERSION,
    op_tags=asks(cores=1),
)
def rescaled_shards(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Shuffled, memory-mappable training shards with provenance per image."""
    rescaling, split = (context.partition_key.keys_by_dimension[name] for name in ("rescaling", "split"))
    return materialise(
        context,
        shards_result(workspace, rescaling, split),
        lambda staged, progress: _make(workspace, rescaling, split, staged, progress),
        _show,
    )
