"""One dataset's images on disk: every frame resized, 16 bits over its own native range, with provenance and facts.

`decode_dataset` writes them, `open_decoded` reads them. Rows are in the order of file name and frame, and the files
are the same to the byte, however many workers there were. Workers write pixels to part files, which are used again
and again; this process copies them into the pixel files and hashes them on the way.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from modality_assets.imaging.batch import FileRecord, FileToDecode
from modality_assets.imaging.decoded_tables import IMAGES, QUARANTINE, DecodedTables, SourceFile
from modality_assets.imaging.errors import MissingDecodedError
from modality_assets.imaging.pixel_files import PixelFileWriter
from modality_assets.imaging.workers import Batch, Piece, shared_pool
from modality_assets.progress import SILENT, Progress

__all__ = ["DecodeReport", "Decoded", "SourceFile", "decode_dataset", "open_decoded"]

_BATCH_FILES = 16
_BATCHES_PER_WORKER = 4
_SPARE_BYTES = 64 << 20  # larger part files are not kept to be used again


@dataclass(frozen=True)
class DecodeReport:
    """What `decode_dataset` did. ``reasons`` counts files by their error's name, ``bytes`` are of the pixel files."""

    images: int
    files: int
    quarantined: int  # files with at least one refused frame, the rows of quarantine.parquet
    unreadable: int  # files that gave no image and are not merely constant
    refused_frames: int  # constant ones, of files that were read
    reasons: dict[str, int]
    seconds: float
    bytes: int
    sha256: dict[str, str]  # of the pixel files, hex, as far as they were hashed on the way


class Decoding(Protocol):
    """What decodes batches: a `DecodingPool`, or, to measure what containment costs, something without processes."""

    workers: int

    def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]: ...


def decode_dataset(
    sources: Sequence[SourceFile],
    staged: Path,
    *,
    image_size: int,
    aspect: str = "stretch",
    workers: int | None = None,
    pool: Decoding | None = None,
    progress: Progress = SILENT,
) -> DecodeReport:
    """Decode ``sources`` into the folder ``staged``: pixels-*.npy, images.parquet, quarantine.parquet.

    Files that give no image become rows of the quarantine; nothing is raised for them. Constant images are left out
    and named there too. ``pool`` is by default this process's own, of ``workers`` processes.
    """
    started = time.monotonic()
    staged.mkdir(parents=True, exist_ok=True)
    ordered = sorted(sources, key=lambda source: source.name)
    pool = pool or shared_pool(workers)
    table = DecodedTables(ordered)
    parts = staged / ".parts"
    parts.mkdir()
    try:
        with (
            PixelFileWriter(staged, image_size, expected=len(ordered)) as writer,
            progress.task("Decoding", total=len(ordered), unit="files") as task,
        ):
            arrived = _Arrivals(image_size * image_size * 2)
            batches = _batches(ordered, parts, pool.workers, arrived.spare)
            for piece in pool.decode(batches, size=image_size, aspect=aspect):
                arrived.add(piece)
                for record, part, offset in arrived.in_order():
                    table.add(record, writer.append(part, offset, len(record.frames)) if part else [])
                task.advance(len(piece.records))
            arrived.close()
    finally:
        for left in parts.iterdir():
            left.unlink()
        parts.rmdir()
    table.write(staged)
    return DecodeReport(
        images=table.images,
        files=len(ordered),
        quarantined=table.quarantined,
        unreadable=table.unreadable,
        refused_frames=table.refused_frames,
        reasons=dict(sorted(table.reasons.items())),
        seconds=time.monotonic() - started,
        bytes=writer.bytes_written,
        sha256=writer.sha256,
    )


@dataclass
class Decoded:
    """Decoded images of one dataset; ``images`` has a row an image, in the order of `pixels`."""

    folder: Path
    images: pl.DataFrame
    quarantine: pl.DataFrame
    _files: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.images.height

    def pixels(self, rows: Iterable[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the images of ``rows`` (all by default), (N, H, W) uint16 q; neighbours of one file are not copied."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows, np.int64).reshape(-1)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise IndexError(f"{self.folder}: has {len(self)} images, asked for rows {chosen.min()} to {chosen.max()}")
        names = self.images["pixel_file"].to_numpy()[chosen]
        places = self.images["pixel_index"].to_numpy()[chosen]
        unique = np.unique(names.astype(str))
        if len(unique) == 1 and (np.diff(places) == 1).all():
            return self._file(unique[0])[places[0] : places[0] + len(places)]
        size = self._file(self.images["pixel_file"][0]).shape[1:] if len(self) else (0, 0)
        found = np.empty((len(chosen), *size), np.uint16)
        for name in unique:
            here = names == name
            found[here] = self._file(name)[places[here]]
        return found

    def _file(self, name: str) -> np.ndarray:
        if name not in self._files:
            try:
                self._files[name] = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise MissingDecodedError(
                    f"{self.folder / name}: {error}; materialise decoded_images of it again"
                ) from None
        return self._files[name]


def open_decoded(folder: Path) -> Decoded:
    """Open what `decode_dataset` wrote; pixels are memory-mapped when asked for. Raises `MissingDecodedError`."""
    try:
        return Decoded(folder, pl.read_parquet(folder / IMAGES), pl.read_parquet(folder / QUARANTINE))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MissingDecodedError(f"{folder}: {error}; materialise decoded_images of {folder.name} again") from None


def _batches(ordered: Sequence[SourceFile], parts: Path, workers: int, spare: list[Path]) -> Iterator[Batch]:
    """Small enough that all workers end together, large enough that handing out costs nothing.

    Each takes its part file from ``spare`` where there is one.
    """
    size = max(1, min(_BATCH_FILES, len(ordered) // (workers * _BATCHES_PER_WORKER)))
    for start in range(0, len(ordered), size):
        some = enumerate(ordered[start : start + size], start)
        files = [FileToDecode(number, os.fspath(one.path), one.declared_format) for number, one in some]
        yield Batch(files, spare.pop() if spare else parts / f"{start:09d}")


class _Arrivals:
    """Puts records back into the order of their files; ``spare`` are the part files that are used up."""

    def __init__(self, image_bytes: int) -> None:
        self.spare: list[Path] = []
        self._image_bytes = image_bytes
        self._next = 0
        self._early: dict[int, tuple[FileRecord, Path | None, int]] = {}
        self._uses: Counter[Path] = Counter()

    def add(self, piece: Piece) -> None:
        offset = 0
        for record in piece.records:
            self._early[record.number] = (record, piece.part, offset)
            offset += len(record.frames) * self._image_bytes
        if piece.part and piece.records:
            self._uses[piece.part] = len(piece.records)

    def in_order(self) -> Iterator[tuple[FileRecord, Path | None, int]]:
        while self._next in self._early:
            record, part, offset = self._early.pop(self._next)
            self._next += 1
            yield record, part, offset
            if part:
                self._uses[part] -= 1
                if not self._uses[part]:
                    self._release(part)

    def _release(self, part: Path) -> None:
        del self._uses[part]
        if part.stat().st_size <= _SPARE_BYTES:
            self.spare.append(part)
        else:  # of a file of very many frames
            part.unlink()

    def close(self) -> None:
        if self._early:
            raise RuntimeError(f"no record came for file {self._next}, but for later ones")
