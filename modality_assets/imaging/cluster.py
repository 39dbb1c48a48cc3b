"""Decoding on a Ray cluster: the batches of one dataset as tasks on whatever machines there are.

A task hands its batch to a contained worker process of its own machine, as a machine alone does, so a file that
crashes a decoder costs no more here than there. The source files and the folder of the results must lie where every
machine of the cluster sees them under the same path.
"""

import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from modality_assets.imaging.errors import ClusterError
from modality_assets.imaging.workers import Batch, Piece, shared_pool

_AHEAD = 2  # batches handed out per core, so that none waits for this process
_TRIES = 3  # of a task whose machine is lost
_ANSWERS_WITHIN_SECONDS = 10


class RayDecoding:
    """A `Decoding` on the cluster at ``address`` ('auto', or HOST:PORT); raises `ClusterError` where there is none."""

    def __init__(self, address: str) -> None:
        self._ray = connect(address)
        self.workers = max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]:
        """Decode ``batches`` and give their records, piece by piece, in no particular order."""
        task = self._ray.remote(num_cpus=1, max_retries=_TRIES, scheduling_strategy="SPREAD")(decode_batch)
        running: list[Any] = []
        try:
            for batch in batches:
                running.append(task.remote(batch, size, aspect))
                if len(running) >= _AHEAD * self.workers:
                    yield from self._next(running)
            while running:
                yield from self._next(running)
        finally:
            for unfinished in running:
                self._ray.cancel(unfinished)

    def _next(self, running: list[Any]) -> list[Piece]:
        """Wait for one of the tasks ``running``, take it away, and return what it decoded."""
        (finished,), running[:] = self._ray.wait(running, num_returns=1)
        pieces: list[Piece] = self._ray.get(finished)
        return pieces


def decode_batch(batch: Batch, size: int, aspect: str) -> list[Piece]:
    """Decode one batch in this machine's contained worker; the body of a task."""
    # Into a part file of this try's own: a machine that was given up may still be writing to the one before.
    batch.part.unlink(missing_ok=True)
    part = batch.part.with_name(f"{batch.files[0].number:09d}-{secrets.token_hex(4)}")
    return list(shared_pool(1).decode([replace(batch, part=part)], size=size, aspect=aspect))


def connect(address: str) -> Any:
    """Return the module `ray`, connected to the cluster at ``address``."""
    try:
        import ray
    except ImportError:
        raise ClusterError("a Ray cluster needs Ray: pip install 'modality-assets[ray]'") from None
    if not ray.is_initialized():
        try:
            if ":" in address:  # Ray itself would try for minutes
                host, port = address.removeprefix("ray://").rsplit(":", 1)
                socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN_SECONDS).close()
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"no Ray cluster answers at {address!r} ({error}); start one with `ray start --head`, or set "
                "the setting 'cluster' to its address, or to null"
            ) from None
    return ray
