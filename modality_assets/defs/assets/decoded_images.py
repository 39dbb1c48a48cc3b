"""`decoded_images`: every 2-D image of one dataset, resized, in its native intensities."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from modality_assets.archives.store import stored_files
from modality_assets.defs.assets.source_files import chosen_series
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.results import materialise
from modality_assets.defs.tables import contact_sheet, markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.imaging.cluster import RayDecoding
from modality_assets.imaging.decoded import SourceFile, decode_dataset, open_decoded
from modality_assets.manifest import whole
from modality_assets.progress import Progress
from modality_assets.results import Built, Result, required_manifest

CODE_VERSION = "3"
_FACTS = ["series_uid", "patient_id", "study_uid", "modality", "body_part", "manufacturer", "licence"]


def decoded_result(workspace: Workspace, dataset: str) -> Result:
    layout, settings = workspace.layout, workspace.settings
    inputs = {
        "source_files": required_manifest(layout.source_files(dataset), "source_files", dataset).content_hash,
        "series": chosen_series(workspace, dataset).select(_FACTS).rows(),
        **settings.model_dump(include={"image_size", "aspect"}),
    }
    return Result("decoded_images", dataset, layout.decoded(dataset), inputs, CODE_VERSION)


def source_list(workspace: Workspace, dataset: str) -> list[SourceFile]:
    """Return the stored files of one dataset with what the catalogue knows of each."""
    folder = whole(workspace.layout.source_files(dataset))
    return [
        SourceFile(
            dataset=dataset,
            path=path,
            name=path.relative_to(folder).as_posix(),
            patient_id=row["patient_id"] or "",
            study_uid=row["study_uid"] or "",
            series_uid=row["series_uid"],
            modality=row["modality"],
            body_part=row["body_part"],
            manufacturer=row["manufacturer"],
            licence=row["licence"],
        )
        for row in chosen_series(workspace, dataset).select(_FACTS).iter_rows(named=True)
        for path in stored_files(folder, row["series_uid"])
    ]


def _make(workspace: Workspace, dataset: str, staged: Path, progress: Progress) -> Built:
    settings = workspace.settings
    report = decode_dataset(
        source_list(workspace, dataset),
        staged,
        image_size=settings.image_size,
        aspect=settings.aspect,
        workers=settings.workers,
        pool=None if settings.cluster is None else RayDecoding(settings.cluster),
        progress=progress,
    )
    counts = {
        "images": report.images,
        "files_read": report.files,
        "files_unreadable": report.unreadable,
        "constant_frames": report.refused_frames,
        "quarantined": report.quarantined,
        "quarantine_reasons": report.reasons,
    }
    return Built(counts, report.sha256)


def _show(folder: Path) -> dict[str, Any]:
    decoded = open_decoded(folder)
    shown = np.linspace(0, decoded.images.height - 1, min(16, decoded.images.height)).astype(int)
    quarantine = pl.read_parquet(folder / "quarantine.parquet").select("source_file", "error", "reason")
    sheet = contact_sheet((decoded.pixels(shown) >> 8).astype(np.uint8)) if shown.size else "no image"
    return {"sample": sheet, "quarantine": markdown_table(quarantine, rows=20)}


@dg.asset(
    partitions_def=dataset_partitions,
    group_name="images",
    owners=["team:imaging"],
    kinds={"numpy", "parquet"},
    deps=["source_files"],
    pool="decoding",
    code_version=CODE_VERSION,
)
def decoded_images(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Every 2-D image resized, in its native intensities, with the facts any rescaling needs; a quarantine table."""
    dataset = context.partition_key
    return materialise(
        context,
        decoded_result(workspace, dataset),
        lambda staged, progress: _make(workspace, dataset, staged, progress),
        _show,
    )
