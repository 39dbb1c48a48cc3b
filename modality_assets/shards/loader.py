"""Feeds batches of shards to a device: gathered by a thread, rescaled on the device, seldom waited for.

One thread gathers the next batches' rows with numpy, which releases the GIL, into buffers that are used
again: no worker processes, nothing pickled. For a GPU the buffers are pinned and hold 16-bit numbers, half
of what floats would send; conversion and rescaling happen there, on a stream of their own. A split that
fits into GPU memory stays there ("resident"), and a batch is one indexing operation.

Standard library, numpy and torch only.
"""

import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from modality_assets.shards.buffers import BufferPool
from modality_assets.shards.conversion import as_tensor, rescale_on_device, rescale_on_host
from modality_assets.shards.prefetch import prefetched
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.sampling import Balance, epoch_rows, window_ends
from modality_assets.shards.warming import WindowWarmer

WINDOW_BYTES = 128 << 20
"""Rows that are shuffled with each other and read together; a larger split is shuffled window by window."""
RUN_BYTES = 2 << 20
"""Neighbouring rows that are read together in a split larger than a window."""
_AHEAD = 2  # batches ready beside the one in use
_BLOCK_BYTES = 1 << 20  # pixels gathered and rescaled at a time on the host
_RESIDENT_SHARE = 0.6  # of the free GPU memory that a split may take
_UPLOAD_BYTES = 64 << 20

_resident: "weakref.WeakKeyDictionary[ShardReader, dict[torch.device, torch.Tensor]]" = weakref.WeakKeyDictionary()
_pools: "weakref.WeakKeyDictionary[ShardReader, dict[str, BufferPool]]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Batch:
    """``images`` (n, 1, H, W) float32 and ``labels`` (n,) int64 on the device, ``rows`` (n,) int64 on the host."""

    images: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor


class Loader:
    """One epoch's batches, the same for the same seed and epoch on any machine.

    Args:
        batch_size: images a batch on this rank; the last may have fewer, unless ``drop_last``.
        balance: "none" shows each row once; "class", "dataset" and "class_dataset" draw as many rows in all,
            equally from each class, each dataset, or each dataset of each class (`sampling`).
        rank, world_size: this process's part. The k-th batches of all ranks together are the same rows
            however many ranks share them, and the ranks partition the epoch. Where each rank must have as
            many batches as the others, use ``drop_last``.
        start_batch: the first batch to give: a new loader goes on exactly where another stopped.
        resident: True, or "auto" for where the split fits into a GPU's free memory: all pixels on the device.
        window_bytes: see `WINDOW_BYTES`.
    """

    def __init__(
        self,
        reader: ShardReader,
        batch_size: int,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        balance: Balance = "none",
        device: str | torch.device = "cpu",
        rank: int = 0,
        world_size: int = 1,
        start_batch: int = 0,
        resident: bool | Literal["auto"] = "auto",
        drop_last: bool = False,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        """Raises ValueError for numbers that make no sense."""
        if batch_size < 1 or not 0 <= rank < world_size or start_batch < 0:
            raise ValueError(
                f"batch size {batch_size}, rank {rank} of {world_size}, from batch {start_batch}: impossible"
            )
        index = reader.index
        self.reader, self.batch_size, self.start_batch = reader, batch_size, start_batch
        self.device = torch.device(device)
        if self.device.type == "cuda" and self.device.index is None:
            self.device = torch.device("cuda", torch.cuda.current_device())
        window_rows = max(1, window_bytes // index.row_bytes)
        rows = epoch_rows(
            reader.labels,
            reader.dataset_codes,
            seed=seed,
            epoch=epoch,
            shuffle=shuffle,
            balance=balance,
            run_rows=max(1, RUN_BYTES // index.row_bytes),
            window_rows=window_rows,
        )
        if drop_last:
            step = batch_size * world_size
            rows = rows[: len(rows) // step * step]
        self.rows: NDArray[np.int64] = rows[rank::world_size]
        """This rank's rows of the whole epoch, in order, those before ``start_batch`` too."""
        ends = window_ends(len(rows), window_rows)
        self._window_ends = np.unique(np.maximum(-(-(ends - rank) // world_size), 0))
        """Where the epoch's windows end in this rank's rows."""
        self.resident = self._fits() if resident == "auto" else resident
        self.waiting_seconds = 0.0
        """How long the consumer has stood still in this loader."""

    def __len__(self) -> int:
        """Return the number of batches still to come, from ``start_batch`` on."""
        return max(0, -(-len(self.rows) // self.batch_size) - self.start_batch)

    def __iter__(self) -> Iterator[Batch]:
        batches = self._resident_batches() if self.resident else self._streamed_batches()
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self.waiting_seconds += time.perf_counter() - started
            if batch is None:
                return
            yield batch
            del batch  # lets its memory be used again while the next is waited for

    def _fits(self) -> bool:
        if self.device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(self.device)
        needed = len(self.reader) * self.reader.index.row_bytes
        return self.device in _resident.get(self.reader, {}) or needed <= _RESIDENT_SHARE * free

    def _batch_places(self) -> Iterator[slice]:
        for start in range(self.start_batch * self.batch_size, len(self.rows), self.batch_size):
            yield slice(start, min(start + self.batch_size, len(self.rows)))

    def _streamed_batches(self) -> Iterator[Batch]:
        if self.device.type != "cuda":
            for images, labels, rows in prefetched(self._made_on_host(), _AHEAD):
                yield Batch(images.to(self.device), labels.to(self.device), rows)
                del images
            return
        for images, labels, rows, copied in prefetched(self._made_on_gpu(), _AHEAD):
            here = torch.cuda.current_stream(self.device)
            here.wait_event(copied)
            images.record_stream(here)
            labels.record_stream(here)
            yield Batch(images, labels, rows)
            del images

    def _warm_rows(self) -> Generator[NDArray[np.int64]]:
        """Give the rows of each batch once they are in memory."""
        first = self.start_batch * self.batch_size
        warmer = WindowWarmer(self.reader, self.rows, self._window_ends, first)
        try:
            for places in self._batch_places():
                warmer.wait_for(places.stop - 1)
                yield self.rows[places]
        finally:
            warmer.stop()

    def _pool(self, kind: str, make: Callable[[], np.ndarray]) -> BufferPool:
        """Return the reader's buffers for batches of this size, which outlive this epoch."""
        pools = _pools.setdefault(self.reader, {})
        return pools.setdefault(f"{kind} {self.batch_size}", BufferPool(make))

    def _made_on_host(self) -> Generator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        reader, index = self.reader, self.reader.index
        shape = (min(self.batch_size, len(reader)), *index.shape)
        pool = self._pool("float32", lambda: np.empty(shape, np.float32))
        step = max(1, _BLOCK_BYTES // index.row_bytes)
        block = np.empty((step, *index.shape), index.dtype)
        for rows in self._warm_rows():
            values = pool.take(len(rows))
            affine = reader.affine[rows]
            for start in range(0, len(rows), step):
                # a block at a time: what was gathered is still in the processor's cache when it is rescaled
                part = slice(start, min(start + step, len(rows)))
                pixels = reader.gather(rows[part], block[: part.stop - start])
                rescale_on_host(pixels, affine[part], values[part], levels=index.levels, clip=index.clip)
            # unsqueezed by torch: a numpy view of the view would not keep the lent one alive
            images = torch.from_numpy(values).unsqueeze(1)
            labels = torch.from_numpy(reader.labels[rows].astype(np.int64))
            del values
            yield images, labels, torch.from_numpy(rows.copy())
            del images

    def _made_on_gpu(self) -> Generator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.cuda.Event]]:
        index, device = self.reader.index, self.device
        shape = (min(self.batch_size, len(self.reader)), *index.shape)
        kind = torch.uint8 if index.bits == 8 else torch.int16
        pool = self._pool("pinned", lambda: torch.empty(shape, dtype=kind, pin_memory=True).numpy().view(index.dtype))
        in_flight: deque[tuple[torch.cuda.Event, np.ndarray]] = deque()
        with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream(device)):
            affine, labels = self._facts_on_device()
            for rows in self._warm_rows():
                pixels = self.reader.gather(rows, pool.take(len(rows)))
                places = torch.from_numpy(rows.copy())
                on_device = places.to(device)
                sent = as_tensor(pixels).to(device, non_blocking=True)
                images = rescale_on_device(sent, affine[on_device], levels=index.levels, clip=index.clip)
                labels_of_batch = labels[on_device]
                copied = torch.cuda.Event()  # after all that this stream does for the batch
                copied.record()
                # the buffer may be filled again only when the copy from it has ended
                in_flight.append((copied, pixels))
                while in_flight and (in_flight[0][0].query() or len(in_flight) > _AHEAD):
                    in_flight[0][0].synchronize()
                    in_flight.popleft()
                yield images, labels_of_batch, places, copied

    def _resident_batches(self) -> Iterator[Batch]:
        index = self.reader.index
        pixels = self._pixels_on_device()
        affine, labels = self._facts_on_device()
        epoch = torch.from_numpy(self.rows.copy())
        epoch_on_device = epoch.to(self.device)
        for places in self._batch_places():
            rows = epoch_on_device[places]
            images = rescale_on_device(pixels[rows], affine[rows], levels=index.levels, clip=index.clip)
            yield Batch(images, labels[rows], epoch[places])

    def _facts_on_device(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (N, 2) float32 affine and (N,) int64 labels of all rows."""
        affine = torch.from_numpy(np.array(self.reader.affine)).to(self.device)
        return affine, torch.from_numpy(self.reader.labels.astype(np.int64)).to(self.device)

    def _pixels_on_device(self) -> torch.Tensor:
        """Return all pixels on the device; they stay for the next epoch's loader as long as the reader lives."""
        kept = _resident.setdefault(self.reader, {})
        if self.device not in kept:
            index = self.reader.index
            kind = torch.uint8 if index.bits == 8 else torch.int16
            pixels = torch.empty((len(self.reader), *index.shape), dtype=kind, device=self.device)
            for first, images in self.reader.pieces(_UPLOAD_BYTES):
                pixels[first : first + len(images)] = as_tensor(images).to(self.device)
            kept[self.device] = pixels
        return kept[self.device]
