"""Files written, hashed and recognised in one pass."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from modality_assets.archives.archive import Written
from modality_assets.archives.series_uid import HEAD_BYTES, quick_series_uid

PIECE = 1 << 18
"""Bytes handled at a time: what fits into a core's cache is hashed twice at the price of being fetched once."""


class HashedFile:
    """A new file, and what there is to know of it once it is closed. Raises FileExistsError where there is one."""

    def __init__(self, path: Path, *, md5: bool = True) -> None:
        self._file = path.open("xb", buffering=0)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._size = 0
        self._series_uid: str | None = None

    def write(self, piece: bytes | memoryview) -> None:
        if self._size == 0:
            self._series_uid = quick_series_uid(bytes(piece[:HEAD_BYTES]))
        left = memoryview(piece)
        while left:  # an unbuffered write may write less than asked
            left = left[self._file.write(left) :]
        self._sha256.update(piece)
        if self._md5 is not None:
            self._md5.update(piece)
        self._size += len(piece)

    def close(self) -> Written:
        self._file.close()
        md5 = self._md5.hexdigest() if self._md5 is not None else None
        return Written(self._size, self._sha256.hexdigest(), md5, self._series_uid)


def write_hashed(
    path: Path,
    pieces: Iterable[bytes | memoryview],
    on_bytes: Callable[[int], None] | None = None,
    *,
    md5: bool = True,
) -> Written:
    """Write the pieces to a new file and return what was learnt of it.

    ``md5`` false spares the MD5 where nobody promised one to compare. ``on_bytes`` hears of every piece.
    """
    file = HashedFile(path, md5=md5)
    try:
        for piece in pieces:
            file.write(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
    finally:
        written = file.close()
    return written


def pieces_of(file: IO[bytes]) -> Iterable[bytes]:
    """Yield all that is left of an open file, piece by piece."""
    while piece := file.read(PIECE):
        yield piece
