"""The pixel files of decoded images: pixels-00000.npy and so on, (N, H, W) uint16, of bounded size."""

import os
from pathlib import Path
from typing import IO, Self

PIXEL_FILE_BYTES = 256 << 20
"""No pixel file is larger, so that each can be copied, checked and mapped on its own."""

_HEADER_BYTES = 128


class PixelFileWriter:
    """Appends images that lie in other files; a context manager. The kernel copies, nothing passes through here."""

    def __init__(self, folder: Path, size: int, most_bytes: int = PIXEL_FILE_BYTES) -> None:
        self.bytes_written = 0
        self._folder, self._size = folder, size
        self._image_bytes = 2 * size * size
        self._most_rows = max(1, (most_bytes - _HEADER_BYTES) // self._image_bytes)
        self._file: IO[bytes] | None = None
        self._name, self._count, self._rows = "", 0, 0
        self._part: IO[bytes] | None = None

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
            self._part = part.open("rb")
        while count:
            if self._file is None or self._rows == self._most_rows:
                self._next()
            taken = min(count, self._most_rows - self._rows)
            assert self._file is not None
            _copy(self._part, offset, self._file, taken * self._image_bytes)
            places += [(self._name, self._rows + index) for index in range(taken)]
            self._rows += taken
            offset += taken * self._image_bytes
            count -= taken
        return places

    def _next(self) -> None:
        self._finish()
        self._name = f"pixels-{self._count:05d}.npy"
        self._file = (self._folder / self._name).open("wb")
        self._file.write(bytes(_HEADER_BYTES))
        self._file.flush()
        self._count, self._rows = self._count + 1, 0

    def _finish(self) -> None:
        if self._file is None:
            return
        self._file.seek(0)
        self._file.write(npy_header((self._rows, self._size, self._size)))
        self._file.close()
        self._file = None
        self.bytes_written += _HEADER_BYTES + self._rows * self._image_bytes


def npy_header(shape: tuple[int, int, int]) -> bytes:
    """Return the 128 bytes before the data of an NPY file (format 1.0) of little-endian uint16."""
    text = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"


def _copy(source: IO[bytes], offset: int, target: IO[bytes], length: int) -> None:
    """Append ``length`` bytes of ``source`` to ``target``, whose own buffer is empty."""
    while length:
        sent = os.sendfile(target.fileno(), source.fileno(), offset, length)
        if not sent:
            raise OSError(f"{source.name}: ends before the images that were promised")
        offset, length = offset + sent, length - sent
