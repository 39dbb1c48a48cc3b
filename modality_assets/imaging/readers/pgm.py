"""PGM, binary (P5) and text (P2), 8 and 16 bits. Read here because image libraries stretch values to the full range."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError
from modality_assets.imaging.frames import MAX_FRAME_PIXELS, FileFacts, FileFrames, Frame

_HEADER = re.compile(rb"P([25])(?:\s+|\s*#[^\n]*\n)+(\d+)(?:\s+|\s*#[^\n]*\n)+(\d+)(?:\s+|\s*#[^\n]*\n)+(\d+)\s")

_COMMENT = re.compile(rb"#[^\n]*")


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the one frame of a PGM file; the type's limits are those of the bits that its greatest value needs."""
    data = file.read()
    header = _HEADER.match(data[:4096])
    if header is None:
        raise DamagedImageError(f"{path.name}: the PGM header is not whole")
    columns, rows, greatest = (int(header[group]) for group in (2, 3, 4))
    if rows < 1 or columns < 1 or not 1 <= greatest <= 65535:
        raise DamagedImageError(f"{path.name}: {rows} rows, {columns} columns, greatest value {greatest} are no PGM")
    if rows * columns > MAX_FRAME_PIXELS:
        raise AbsurdSizeError(f"{path.name}: {rows} x {columns} pixels are more than any image has")
    if header[1] == b"5":
        stored_as = np.dtype(">u2" if greatest > 255 else "u1")
        if len(data) - header.end() < rows * columns * stored_as.itemsize:
            raise DamagedImageError(f"{path.name}: truncated, {len(data) - header.end()} bytes of pixels")
        values = np.frombuffer(data, stored_as, rows * columns, header.end()).astype(stored_as.newbyteorder("="))
    else:
        numbers = _COMMENT.sub(b"", data[header.end() :]).split()
        if len(numbers) < rows * columns:
            raise DamagedImageError(f"{path.name}: truncated, {len(numbers)} of {rows * columns} values")
        values = np.array(numbers[: rows * columns], np.int64)
        if values.min() < 0 or values.max() > greatest:
            raise DamagedImageError(f"{path.name}: has values outside 0 to {greatest}")
        values = values.astype(np.uint16)
    bits = greatest.bit_length()

    def frames() -> Iterator[Frame]:
        yield Frame(values.reshape(rows, columns), 0, 0.0, float((1 << bits) - 1))

    return FileFrames(FileFacts("PGM", bits, False), 1, frames)
