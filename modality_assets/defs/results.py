"""One way for every asset to come into being: fresh and left alone, or built aside and published whole."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from modality_assets.defs.log_progress import LogProgress
from modality_assets.manifest import (
    MANIFEST,
    Manifest,
    describe,
    digest,
    publish_files,
    publish_folder,
    read_manifest,
    staging,
)
from modality_assets.progress import Progress

terminal_progress: ContextVar[Progress | None] = ContextVar("terminal_progress", default=None)
"""Set by a command that runs the graph in a terminal; elsewhere progress goes to the run's log."""


@dataclass(frozen=True)
class Result:
    """What one asset (partition) would be made from now, and where it lies.

    ``inputs`` holds every input and setting that decides the outcome, as JSON-able values; its digest
    is the input hash. ``shared`` marks a folder that holds other results too, so that files are
    replaced one by one and not the folder whole. ``timed`` names the files with durations in them.
    """

    asset: str
    partition: str | None
    folder: Path
    inputs: dict[str, Any]
    code_version: str
    shared: bool = False
    manifest: str = MANIFEST
    timed: tuple[str, ...] = ()

    @property
    def input_hash(self) -> str:
        return digest({"asset": self.asset, "code_version": self.code_version, "inputs": self.inputs})

    def fresh_manifest(self) -> Manifest | None:
        """Return the manifest on disk if it was made from the very same inputs, else None."""
        manifest = read_manifest(self.folder, self.manifest)
        return manifest if manifest is not None and manifest.input_hash == self.input_hash else None


@dataclass(frozen=True)
class Made:
    """What a building function reports: counts for the manifest, and further metadata for Dagster."""

    counts: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)


class MissingInputError(Exception):
    """An asset upstream has no complete result; the message names it."""


def required_manifest(folder: Path, asset: str, partition: str | None = None, name: str = MANIFEST) -> Manifest:
    """Return the manifest of an upstream result; raise `MissingInputError` naming the asset where there is none."""
    manifest = read_manifest(folder, name)
    if manifest is None:
        which = f"{asset} [{partition}]" if partition else asset
        raise MissingInputError(f"{which} is not there, or not complete ({folder}): materialise it first")
    return manifest


def progress_of(context: dg.AssetExecutionContext) -> Progress:
    """Return where this run's progress is shown: the command's terminal, or the run's log."""
    return terminal_progress.get() or LogProgress(context.log)


def materialise(
    context: dg.AssetExecutionContext,
    result: Result,
    make: Callable[[Path, Progress], Made],
    show: Callable[[Path], dict[str, Any]],
) -> dg.MaterializeResult:
    """Publish ``result``: by ``make`` into a staging folder, unless the same inputs made what is there.

    ``show`` reads the published folder and returns metadata worth looking at, so that a result that
    was found fresh shows the same as one just made.
    """
    manifest = result.fresh_manifest()
    reused = manifest is not None
    if manifest is None:
        started = time.perf_counter()
        with staging(result.folder) as staged:
            made = make(staged, progress_of(context))
            manifest = describe(
                staged,
                asset=result.asset,
                partition=result.partition,
                input_hash=result.input_hash,
                code_version=result.code_version,
                run_id=context.run_id,
                seconds=time.perf_counter() - started,
                counts=made.counts,
                timed=result.timed,
            )
            if result.shared:
                publish_files(staged, result.folder, manifest, result.manifest)
            else:
                publish_folder(staged, result.folder, manifest)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest.input_hash),
        metadata={**report_of(manifest, reused, result.folder), **show(result.folder)},
    )


def report_of(manifest: Manifest, reused: bool, folder: Path) -> dict[str, Any]:
    """Return the metadata that every asset has: counts, bytes, seconds, where, and whether it was made anew."""
    return {
        **{name: _metadata(value) for name, value in manifest.counts.items()},
        "size_bytes": sum(facts["bytes"] for facts in manifest.files.values()),
        "files": len(manifest.files),
        "seconds": manifest.seconds,
        "found_fresh": reused,
        "folder": dg.MetadataValue.path(str(folder)),
        "content_hash": manifest.content_hash[:16],
    }


def _metadata(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else dg.MetadataValue.json(value)
