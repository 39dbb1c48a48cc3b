"""Fills one pixel file of the shards from scattered decoded rows, or links it from earlier shards."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modality_assets.manifest import digest, sha256_of
from modality_assets.shards.index import DecodedImagesError, ShardFile
from modality_assets.shards.moments import Moments, moments_of_images
from modality_assets.shards.pixel_file import PixelFileReader, PixelFileWriter, Pixels, bytes_of, read_exactly
from modality_assets.shards.selection import DecodedPixels

PIECE_BYTES = 4 << 20
"""Pixels that one worker holds at a time: they should stay in the processor's cache until they are written."""


@dataclass(frozen=True)
class PixelPlan:
    """What one pixel file will hold, row by row, and how it is stored."""

    name: str
    sources: Sequence[DecodedPixels]  # all decoded pixel files of the split
    source: NDArray[np.int64]  # (n,) which of them
    source_row: NDArray[np.int64]  # (n,) which row of it
    affine: NDArray[np.float32]  # (n, 2), for the moments only
    shape: tuple[int, int]
    bits: int
    clip: bool
    compression: str | None

    def content(self) -> str:
        """Return the digest (hex) of what goes in: the same images, stored in the same way, in the same order."""
        used, place = np.unique(self.source, return_inverse=True)
        # named by hash, so that neither where decoded files lie nor what else the split holds comes in
        hashes = np.array([self.sources[number].sha256 for number in used])
        names, number = np.unique(hashes, return_inverse=True)
        rows = number[place].astype("<i8").tobytes() + self.source_row.astype("<i8").tobytes()
        return digest([names.tolist(), hashlib.sha256(rows).hexdigest(), list(self.shape), self.bits, self.compression])


def fill_pixel_file(plan: PixelPlan, staged: Path, advance: Callable[[int], None]) -> tuple[ShardFile, Moments]:
    """Write the file below ``staged``; return its facts and the moments of its rescaled values.

    Raises `DecodedImagesError` where a decoded file is gone or has become shorter since it was planned.
    """
    moments = Moments()
    rows = len(plan.source)
    with PixelFileWriter(staged / plan.name, rows, plan.shape, plan.bits, plan.compression) as file:
        for start, q in _read_pieces(plan):
            images = q if plan.bits == 16 else eight_bits(q)
            file.append(images)
            moments = moments.merged(_moments(plan, start, images))
            advance(len(images))
    return ShardFile(plan.name, rows, file.sha256, file.bytes, plan.content()), moments


def link_pixel_file(
    plan: PixelPlan, earlier: Path, facts: ShardFile, staged: Path, advance: Callable[[int], None]
) -> tuple[ShardFile, Moments] | None:
    """Give an earlier file of the same content a second name below ``staged``; None where that cannot be.

    Its bytes are read, for their SHA-256 and for their moments under this rescaling. A file that turns
    out damaged, or lies on another disk, is not linked: the caller fills a new one.
    """
    final = staged / plan.name
    moments = Moments()
    try:
        os.link(earlier, final)  # first, so that what is checked is what stays
    except OSError:
        return None
    try:
        if sha256_of(final) != facts.sha256:
            raise ValueError("other bytes than its index says")
        reader = PixelFileReader(final, len(plan.source), plan.shape, plan.bits, plan.compression)
        for start, images in reader.pieces(PIECE_BYTES):
            moments = moments.merged(_moments(plan, start, images))
    except (OSError, EOFError, ValueError):
        final.unlink()
        return None
    advance(len(plan.source))
    return ShardFile(plan.name, facts.rows, facts.sha256, facts.bytes, facts.content), moments


def eight_bits(q: Pixels) -> NDArray[np.uint8]:
    """Return q in [0, 65535] as the nearest of 256 levels, round(q / 257)."""
    return ((q.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _moments(plan: PixelPlan, start: int, images: Pixels) -> Moments:
    affine = plan.affine[start : start + len(images)]
    return moments_of_images(images, affine, levels=2**plan.bits - 1, clip=plan.clip)


def _read_pieces(plan: PixelPlan) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Give (first row, q) piece by piece, in the file's order; q is good until the next piece.

    Rows are read in the order in which they lie on the disk, with positioned reads: a memory map's
    pages would count as this process's memory, and a file cut short would end the process.
    """
    row_bytes = 2 * plan.shape[0] * plan.shape[1]
    step = max(1, PIECE_BYTES // row_bytes)
    buffer = np.empty((min(step, len(plan.source)), *plan.shape), "<u2")
    memory = bytes_of(buffer)
    for start in range(0, len(plan.source), step):
        source, row = plan.source[start : start + step], plan.source_row[start : start + step]
        with ExitStack() as stack:
            current, descriptor = -1, -1
            for place in np.lexsort((row, source)).tolist():
                decoded = plan.sources[source[place]]
                if source[place] != current:
                    stack.close()
                    current = source[place]
                    descriptor = _open(decoded, stack)
                target = memory[place * row_bytes : (place + 1) * row_bytes]
                try:
                    read_exactly(descriptor, target, decoded.data_start + int(row[place]) * row_bytes)
                except (OSError, EOFError) as error:
                    raise _gone(decoded, error) from None
        yield start, buffer[: len(source)]


def _open(decoded: DecodedPixels, stack: ExitStack) -> int:
    try:
        descriptor = os.open(decoded.path, os.O_RDONLY)
    except OSError as error:
        raise _gone(decoded, error) from None
    stack.callback(os.close, descriptor)
    return descriptor


def _gone(decoded: DecodedPixels, error: Exception) -> DecodedImagesError:
    return DecodedImagesError(f"{decoded.path}: {error}; decode {decoded.path.parent.name} again")
