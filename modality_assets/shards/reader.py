"""Reads shards, with numpy and the standard library alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modality_assets.manifest import sha256_of
from modality_assets.shards import index as fmt
from modality_assets.shards.index import DamagedShardError, ShardFile, mend, read_index
from modality_assets.shards.pixel_file import PixelFileReader, Pixels


class ShardReader:
    """The shards in one folder: what the rows are, and their pixels in any order.

    Attributes:
        index: the `ShardIndex`.
        labels: (N,) uint8, index into ``index.classes``.
        dataset_codes: (N,) uint16, index into ``index.datasets``.
        affine: (N, 2) float32: rescaled value = scale · q / index.levels + offset, clipped to [0, 1] where index.clip.
        provenance: (N,) structured array, memory-mapped: where each row came from, texts in UTF-8 bytes.
    """

    def __init__(self, folder: Path) -> None:
        """Open and check cheaply: index, lengths, shapes and types; no pixel is read.

        Raises the `index.ShardError` that names what is wrong, and `modality.ClassOrderError`.
        """
        self.folder = Path(folder)
        self.index = read_index(self.folder)
        for file in (*self.index.files, *self.index.arrays):
            if problem := file_problem(self.folder, file):
                raise self._damaged(file.name, problem)
        self.labels: NDArray[np.uint8] = self._array(fmt.LABELS, "uint8")
        self.dataset_codes: NDArray[np.uint16] = self._array(fmt.DATASETS, "uint16")
        self.affine: NDArray[np.float32] = self._array(fmt.AFFINE, "float32", 2)
        self.provenance = self._array(fmt.PROVENANCE)
        for name, codes, names in (
            (fmt.LABELS, self.labels, self.index.classes),
            (fmt.DATASETS, self.dataset_codes, self.index.datasets),
        ):
            if codes.max(initial=0) >= len(names):
                raise self._damaged(name, "has a number that the index does not name")
        self._first_rows = np.cumsum([0, *(file.rows for file in self.index.files)])
        self._opened: dict[int, PixelFileReader] = {}

    def __len__(self) -> int:
        return self.index.images

    def gather(self, rows: NDArray[np.integer], out: Pixels | None = None) -> Pixels:
        """Return the stored pixels of ``rows``, (n, H, W) uint16 q (uint8 where index.bits is 8), in their order.

        ``out``, contiguous, is filled and returned where given. Raises IndexError for a row outside
        [0, N), `DamagedShardError` for a file that cannot be read. Threads may gather at the same time.
        """
        if out is None:
            out = np.empty((len(rows), *self.index.shape), self.index.dtype)
        for number, places, local in self.by_file(rows):
            file = self.open_file(number)
            try:
                file.take(local, out, places)
            except ValueError as error:
                raise self._damaged(file.path.name, str(error)) from None
        return out

    def pieces(self, piece_bytes: int) -> Iterator[tuple[int, Pixels]]:
        """Give (first row, pixels) of all rows in order, about ``piece_bytes`` at a time."""
        for number, first in enumerate(self._first_rows[:-1].tolist()):
            file = self.open_file(number)
            try:
                for start, images in file.pieces(piece_bytes):
                    yield first + start, images
            except (OSError, EOFError, ValueError) as error:
                raise self._damaged(file.path.name, str(error)) from None

    def by_file(self, rows: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Give (file number, places in ``rows``, rows within the file) for each file that ``rows`` need."""
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            return
        if rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()}: these shards have the rows 0 to {len(self) - 1}")
        number = np.searchsorted(self._first_rows, rows, side="right") - 1
        order = np.argsort(number, kind="stable")
        cuts = np.flatnonzero(np.diff(number[order])) + 1
        for places in np.split(order, cuts):
            one = int(number[places[0]])
            yield one, places, rows[places] - self._first_rows[one]

    def open_file(self, number: int) -> PixelFileReader:
        """Return pixel file ``number`` of the index, opened once."""
        file = self._opened.get(number)
        if file is None:
            facts, index = self.index.files[number], self.index
            try:
                file = PixelFileReader(self.folder / facts.name, facts.rows, index.shape, index.bits, index.compression)
            except (OSError, ValueError) as error:
                raise self._damaged(facts.name, str(error)) from None
            self._opened[number] = file
        return file

    def verify(self, full: bool = False) -> list[str]:
        """Return the names of damaged or missing files; lengths only, or every byte where ``full``."""
        files = (*self.index.files, *self.index.arrays)
        return [file.name for file in files if file_problem(self.folder, file, full=full)]

    def _array(self, name: str, dtype: str | None = None, columns: int | None = None) -> np.ndarray:
        """Return one array of N rows; those with a given type in memory, structured ones mapped."""
        shape = (len(self),) if columns is None else (len(self), columns)
        try:
            array: np.ndarray = np.load(self.folder / name, mmap_mode=None if dtype else "r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(name, f"cannot be read ({error})") from None
        wanted = array.dtype == dtype if dtype else set(fmt.PROVENANCE_TEXTS) <= set(array.dtype.names or ())
        if array.shape != shape or not wanted:
            raise self._damaged(name, f"has shape {array.shape} and type {array.dtype}")
        return array

    def _damaged(self, name: str, what: str) -> DamagedShardError:
        return DamagedShardError(f"{self.folder / name}: {what}; {mend(self.index.partition)}")


def file_problem(folder: Path, file: ShardFile, *, full: bool = False) -> str | None:
    """Say what is wrong with one file, by its length, or by every byte where ``full``; None where nothing is."""
    path = folder / file.name
    try:
        length = path.stat().st_size
        if length != file.bytes:
            return f"has {length} bytes, the index says {file.bytes}"
        if full and sha256_of(path) != file.sha256:
            return "its bytes are not those that were written"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error})"
    return None
