"""Files written and hashed in one pass, and a place for what must be whole before it can be written."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

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


class Spool:
    """Takes bytes into memory, and beyond ``most_in_memory`` into a file without a name in ``folder``."""

    def __init__(self, folder: Path, most_in_memory: int = 64 << 20) -> None:
        self.file: IO[bytes] = io.BytesIO()
        self.size = 0
        self._folder, self._most = folder, most_in_memory

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        if self.size > self._most and isinstance(self.file, io.BytesIO):
            memory = self.file
            self.file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by __exit__
            self.file.write(memory.getbuffer())
            memory.close()
        return self.file.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
