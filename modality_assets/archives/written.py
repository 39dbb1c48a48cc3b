"""Files written and hashed in one pass."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from modality_assets.archives.archive import Written

PIECE = 1 << 18
"""Bytes handled at a time: what fits into a core's cache is hashed twice at the price of being fetched once."""


def write_hashed(
    path: Path,
    pieces: Iterable[bytes | memoryview],
    on_bytes: Callable[[int], None] | None = None,
    *,
    md5: bool = True,
) -> Written:
    """Write the pieces to a new file and return the size and hashes of what was written.

    ``md5`` false spares the MD5 where nobody promised one to compare. ``on_bytes`` hears of every piece.
    """
    sha256, weak, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("xb", buffering=0) as file:
        for piece in pieces:
            left = memoryview(piece)
            while left:  # an unbuffered write may write less than asked
                left = left[file.write(left) :]
            sha256.update(piece)
            if md5:
                weak.update(piece)
            size += len(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
    return Written(size, sha256.hexdigest(), weak.hexdigest() if md5 else None)


def pieces_of(file: IO[bytes], size: int | None = None) -> Iterable[bytes]:
    """Yield the next ``size`` bytes of an open file, or all that is left, piece by piece."""
    left = size
    while left is None or left > 0:
        piece = file.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece
