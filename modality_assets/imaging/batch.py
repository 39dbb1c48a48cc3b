"""Decoding a batch of files, one after the other: what a worker does, and what contained and uncontained share.

For each file the pixels are written to a part file, after those of the files before it, and a record, of JSON types
only, says what became of it: either its facts and the rows that it added, or the error that refused it. A file is
taken whole or not at all; only constant frames are left out one by one. What a part file holds beyond the images of
its records has no meaning: part files are used again, because fresh pages cost more than writing to old ones.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from modality_assets.imaging.errors import ConstantImageError, DamagedImageError, DecoderMemoryError, ImagingError
from modality_assets.imaging.quantised import FrameFacts, quantise
from modality_assets.imaging.readers import read_frames

FILE_FACTS = ("format", "bits_stored", "signed", "photometric", "instance_uid", "transfer_syntax_uid")
"""The facts of a file that are kept with each of its images."""


class FileToDecode(NamedTuple):
    """One file of a batch; ``number`` is its place in the whole work."""

    number: int
    path: str
    declared_format: str | None


class FileRecord(NamedTuple):
    """What became of one file; JSON types only."""

    number: int
    facts: dict[str, Any]
    frames: list[FrameFacts]
    constant: list[int]
    error: tuple[str, str, str] | None  # stage, error, reason


def decode_files(
    files: list[FileToDecode],
    part: BinaryIO,
    *,
    size: int,
    aspect: str,
    beat: Callable[[int], None] = lambda number: None,
) -> Iterator[FileRecord]:
    """Write the pixels of ``files``, (size, size) uint16 each, to ``part``; give one record a file, in order.

    ``beat`` is called with the file's number before each file and each frame.
    """
    for file in files:
        beat(file.number)
        start = part.tell()
        try:
            yield _decode_file(file, part, size, aspect, beat)
            continue
        except ImagingError as error:
            refused: ImagingError = error
        except MemoryError:
            refused = DecoderMemoryError(
                f"{Path(file.path).name}: decoding it needs more memory than a worker may have"
            )
        part.seek(start)
        yield refusal(file.number, refused)


def open_part(path: Path) -> BinaryIO:
    """Open a part file to write it from its beginning, new or used before; nothing is cut off."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666), "wb")


def refusal(number: int, error: ImagingError) -> FileRecord:
    """Return the record of a file that gave no image."""
    return FileRecord(number, {}, [], [], (error.stage, type(error).__name__, str(error)))


def _decode_file(file: FileToDecode, part: BinaryIO, size: int, aspect: str, beat: Callable[[int], None]) -> FileRecord:
    path = Path(file.path)
    found = read_frames(path, declared_format=file.declared_format)
    frames: list[FrameFacts] = []
    constant: list[int] = []
    for frame in found:
        try:
            pixels, frame_facts = quantise(frame, size, aspect)
        except ConstantImageError:
            constant.append(frame.index)
        except DamagedImageError as error:
            raise DamagedImageError(f"{path.name}: frame {frame.index}: {error}") from None
        else:
            part.write(np.ascontiguousarray(pixels, "<u2").data)
            frames.append(frame_facts)
        beat(file.number)
    of_file = found.facts
    facts = {name: getattr(of_file, name) for name in FILE_FACTS}
    return FileRecord(
        number=file.number,
        facts=facts,
        frames=frames,
        constant=constant,
        error=None,
    )
