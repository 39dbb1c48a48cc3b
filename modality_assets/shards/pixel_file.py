"""One file of pixels, written row by row and read by row: plain .npy, or compressed for cold storage."""

import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from modality_assets.shards.codec import RowCodec, offsets_of
from modality_assets.shards.direct_file import DirectFile

Pixels = NDArray[np.unsignedinteger]


def npy_header(rows: int, shape: tuple[int, int], bits: int) -> bytes:
    """Return the first bytes of an .npy file, version 1.0, of (rows, H, W) little-endian numbers of ``bits``."""
    descr = np.lib.format.dtype_to_descr(np.dtype(f"<u{bits // 8}"))
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {shape[0]}, {shape[1]}), }}"
    padding = -(10 + len(text) + 1) % 64
    return (
        b"\x93NUMPY\x01\x00" + (len(text) + padding + 1).to_bytes(2, "little") + text.encode() + b" " * padding + b"\n"
    )


class PixelFileWriter:
    """Appends images to a new file; ``sha256`` and ``bytes`` describe it once closed."""

    def __init__(self, path: Path, rows: int, shape: tuple[int, int], bits: int, compression: str | None) -> None:
        self._file = DirectFile(path)
        self._hash = hashlib.sha256()
        self._codec = RowCodec() if compression else None
        self._offsets = [0]
        self._missing = rows
        self.bytes = 0
        if self._codec is None:
            self._put(memoryview(npy_header(rows, shape, bits)))

    def append(self, images: Pixels) -> None:
        """Append ``images`` (n, H, W)."""
        self._missing -= len(images)
        if self._codec is None:
            self._put(bytes_of(np.ascontiguousarray(images)))
            return
        for image in images:
            frame = self._codec.encode(image)
            self._put(memoryview(frame))
            self._offsets.append(self._offsets[-1] + len(frame))

    def close(self) -> None:
        """Finish the file; ValueError when the rows appended are not those announced."""
        if self._missing:
            raise ValueError(f"{self._file.name}: {self._missing} rows were announced and not written")
        if self._codec is not None:
            self._put(memoryview(np.array(self._offsets, "<u8").tobytes()))
        self._file.close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def _put(self, data: memoryview) -> None:
        self._hash.update(data)
        self.bytes += len(data)
        self._file.write(data)

    def __enter__(self) -> "PixelFileWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._file.abandon()


class PixelFileReader:
    """Rows of one file, in any order.

    ``take`` reads through a memory map, without a system call a row. ``pieces`` reads the whole file in
    order with plain reads, which leave no mapped pages to this process.
    """

    def __init__(self, path: Path, rows: int, shape: tuple[int, int], bits: int, compression: str | None) -> None:
        """Map the file. Raises OSError, and ValueError for a file that is not what the arguments say."""
        self.path, self.rows, self.shape, self.dtype = path, rows, shape, np.dtype(f"<u{bits // 8}")
        self.row_bytes = shape[0] * shape[1] * bits // 8
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        data = np.frombuffer(self._map, np.uint8)
        self._codec = RowCodec() if compression else None
        if self._codec is None:
            header = npy_header(rows, shape, bits)
            if data[: len(header)].tobytes() != header or len(data) != len(header) + rows * self.row_bytes:
                raise ValueError(f"is not an array of shape {(rows, *shape)} and type {self.dtype}")
            self._starts = np.uint64(len(header)) + np.arange(rows + 1, dtype=np.uint64) * np.uint64(self.row_bytes)
            self.images: Pixels = data[len(header) :].view(self.dtype).reshape(rows, *shape)
        else:
            self._starts = offsets_of(data, rows)

    def take(self, rows: NDArray[np.int64], out: Pixels, places: NDArray[np.int64]) -> None:
        """Copy each of ``rows`` (n,), which must lie in the file, to ``out[places]``; ``out`` is contiguous.

        Raises ValueError where a compressed row cannot be restored.
        """
        if self._codec is not None:
            for row, place in zip(rows.tolist(), places.tolist(), strict=True):
                self._codec.decode_into(self._map[int(self._starts[row]) : int(self._starts[row + 1])], out[place])
        elif len(places) == len(out):
            # all rows are here: straight into out, for which numpy wants a mode that cannot raise
            np.take(self.images, rows[np.argsort(places)], axis=0, out=out, mode="clip")
        else:
            out[places] = self.images[rows]

    def byte_ranges(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the bytes of ``rows`` begin and end in the file."""
        starts = self._starts.astype(np.int64)
        return starts[rows], starts[rows + 1]

    def pieces(self, piece_bytes: int) -> Iterator[tuple[int, Pixels]]:
        """Give (first row, images) from the first row to the last, about ``piece_bytes`` at a time.

        The images are good until the next are asked for: their memory is used again.
        """
        step = min(max(1, piece_bytes // self.row_bytes), max(1, self.rows))
        buffer = np.empty((step, *self.shape), self.dtype)
        with self.path.open("rb", buffering=0) as file:
            for first in range(0, self.rows, step):
                images = buffer[: min(step, self.rows - first)]
                starts = self._starts[first : first + len(images) + 1].astype(np.int64)
                if self._codec is None:
                    read_exactly(file.fileno(), bytes_of(images), int(starts[0]))
                else:
                    frames = bytearray(int(starts[-1] - starts[0]))
                    read_exactly(file.fileno(), memoryview(frames), int(starts[0]))
                    cuts = (starts - starts[0]).tolist()
                    for image, begin, end in zip(images, cuts[:-1], cuts[1:], strict=True):
                        self._codec.decode_into(bytes(frames[begin:end]), image)
                yield first, images


def bytes_of(pixels: Pixels) -> memoryview:
    """Return the memory of a contiguous array as bytes."""
    return pixels.reshape(-1).view(np.uint8).data


def read_exactly(descriptor: int, data: memoryview, start: int) -> None:
    """Fill ``data`` from byte ``start`` of an open file; EOFError where the file ends before."""
    while data:
        count = os.preadv(descriptor, [data], start)
        if not count:
            raise EOFError(f"ends at byte {start}")
        data, start = data[count:], start + count
