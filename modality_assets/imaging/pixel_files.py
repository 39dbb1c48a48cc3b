"""The pixel files of decoded images: pixels-00000.npy and so on, (N, H, W) uint16, of bounded size."""

import hashlib
import os
from pathlib import Path
from typing import IO, Self

PIXEL_FILE_BYTES = 256 << 20
"""No pixel file is larger, so that each can be copied, checked and mapped on its own."""

_HEADER_BYTES = 128
_COPY_BYTES = 1 << 20


class PixelFileWriter:
    """Appends images that lie in other files; a context manager.

    ``expected`` images let the bytes be hashed as they pass: an NPY file begins with its number of rows. ``sha256``
    (hex) afterwards names the files for which the expectation came true; the others are hashed by whoever needs it.
    """

    def __init__(self, folder: Path, size: int, *, expected: int = 0, most_bytes: int = PIXEL_FILE_BYTES) -> None:
        self.bytes_written = 0
        self.sha256: dict[str, str] = {}
        self._folder, self._size, self._expected = folder, size, expected
        self._image_bytes = 2 * size * size
        self._most_rows = max(1, (most_bytes - _HEADER_BYTES) // self._image_bytes)
        self._file: IO[bytes] | None = None
        self._name, self._count, self._rows = "", 0, 0
        self._expected_rows, self._hash = 0, hashlib.sha256()
        self._part: IO[bytes] | None = None
        self._buffer = memoryview(bytearray(_COPY_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._finish()
        if self._part:
            self._part.close()

    def append(self, part: Path, offset: int, count: int) -> list[tuple[str, int]]:
        """Append ``count`` images from byte ``offset`` of ``part``; return the pixel file and index of each."""
        places: list[tuple[str, int]] = []
        if not count:
            return places
        if self._part is None or self._part.name != str(part):
            if self._part:
                self._part.close()
            self._part = part.open("rb", buffering=0)
        while count:
            if self._file is None or self._rows == self._most_rows:
                self._next()
            taken = min(count, self._most_rows - self._rows)
            self._copy(offset, taken * self._image_bytes)
            places += [(self._name, self._rows + index) for index in range(taken)]
            self._rows += taken
            offset += taken * self._image_bytes
            count -= taken
        return places

    def _next(self) -> None:
        self._finish()
        self._name = f"pixels-{self._count:05d}.npy"
        self._file = (self._folder / self._name).open("wb", buffering=0)
        self._expected_rows = min(self._most_rows, self._expected - self._count * self._most_rows)
        header = npy_header((max(0, self._expected_rows), self._size, self._size))
        self._hash = hashlib.sha256(header)
        self._file.write(header)
        self._count, self._rows = self._count + 1, 0

    def _copy(self, offset: int, length: int) -> None:
        """Append ``length`` bytes of the part file."""
        assert self._part is not None
        assert self._file is not None
        while length:
            read = os.preadv(self._part.fileno(), [self._buffer[:length]], offset)
            if not read:
                raise OSError(f"{self._part.name}: ends before the images that were promised")
            data = self._buffer[:read]
            if self._rows < self._expected_rows:
                self._hash.update(data)
            while data:
                data = data[self._file.write(data) :]
            offset, length = offset + read, length - read

    def _finish(self) -> None:
        if self._file is None:
            return
        if self._rows == self._expected_rows:
            self.sha256[self._name] = self._hash.hexdigest()
        else:
            os.pwrite(self._file.fileno(), npy_header((self._rows, self._size, self._size)), 0)
        self._file.close()
        self._file = None
        self.bytes_written += _HEADER_BYTES + self._rows * self._image_bytes


def npy_header(shape: tuple[int, int, int]) -> bytes:
    """Return the 128 bytes before the data of an NPY file (format 1.0) of little-endian uint16."""
    text = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"
