"""One way for every result to come into being: fresh and left alone, or built aside and published whole."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modality_assets.manifest import (
    MANIFEST,
    Manifest,
    describe,
    digest,
    publish_files,
    publish_folder,
    read_manifest,
    sound_manifest,
    staging,
)

Counts = dict[str, Any]
"""What a building function reports of its result, JSON-able; it is kept in the manifest."""


@dataclass(frozen=True)
class Built:
    """Counts, and the SHA-256 (hex) by name of files that were hashed while they were written."""

    counts: Counts
    sha256: Mapping[str, str]


class MissingInputError(Exception):
    """A result upstream is not there; the message names the asset to materialise."""


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
        """Return the manifest on disk if the result was made from the very same inputs and is whole, else None."""
        manifest = sound_manifest(self.folder, self.manifest)
        if manifest is None or manifest.input_hash != self.input_hash or manifest.counts.get("incomplete"):
            return None
        return manifest


def make(result: Result, build: Callable[[Path], Counts | Built], *, run_id: str) -> Manifest:
    """Build ``result`` in a staging folder by ``build``, publish it, and return its manifest."""
    started = time.perf_counter()
    with staging(result.folder) as staged:
        told = build(staged)
        built = told if isinstance(told, Built) else Built(told, {})
        manifest = describe(
            staged,
            asset=result.asset,
            partition=result.partition,
            input_hash=result.input_hash,
            code_version=result.code_version,
            run_id=run_id,
            seconds=time.perf_counter() - started,
            counts=built.counts,
            sha256=built.sha256,
            timed=result.timed,
        )
        if result.shared:
            publish_files(staged, result.folder, manifest, result.manifest)
        else:
            publish_folder(staged, result.folder, manifest)
    return manifest


def required_manifest(folder: Path, asset: str, partition: str | None = None) -> Manifest:
    """Return the manifest of an upstream result; raise `MissingInputError` naming the asset where there is none."""
    manifest = sound_manifest(folder)
    if manifest is None:
        which = f"{asset} [{partition}]" if partition else asset
        raise MissingInputError(f"{which} is not there, or not complete ({folder}): materialise it first")
    return manifest


def complete(folders: Iterable[Path]) -> dict[Path, Manifest]:
    """Return those of ``folders`` that hold a complete result, with their manifests."""
    found = {folder: read_manifest(folder) for folder in folders}
    return {folder: manifest for folder, manifest in found.items() if manifest is not None}
