"""Cold storage: each image compressed on its own, so that any row is still one read away.

A compressed pixel file is the rows' frames one after the other, then rows + 1 little-endian uint64
offsets, of which the last is where the offsets begin. The frames are those of C-Blosc2 (zstd level 1
after a bit shuffle), the winner of the measurement in docs/experiment-log.md. The library is imported
when compressed shards are opened or written; raw shards never need it.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from modality_assets.shards.index import ShardError

BLOSC2 = "blosc2-zstd1-bitshuffle"


class CodecMissingError(ShardError):
    """Compressed shards need the library that this machine lacks."""


def _library() -> ModuleType:
    try:
        import blosc2  # type: ignore[import-untyped]
    except ImportError:
        raise CodecMissingError(
            "compressed shards need blosc2: `pip install blosc2`, or materialise rescaled_shards uncompressed"
        ) from None
    return blosc2


class RowCodec:
    """Compresses and restores single images."""

    def __init__(self) -> None:
        """Raises `CodecMissingError` where the library is missing."""
        self._blosc2 = _library()

    def encode(self, image: NDArray[np.unsignedinteger]) -> bytes:
        """Return the frame of one image (H, W)."""
        frame: bytes = self._blosc2.compress2(
            np.ascontiguousarray(image),
            codec=self._blosc2.Codec.ZSTD,
            clevel=1,
            filters=[self._blosc2.Filter.BITSHUFFLE],
            typesize=image.dtype.itemsize,
            nthreads=1,
        )
        return frame

    def decode_into(self, frame: bytes, image: NDArray[np.unsignedinteger]) -> None:
        """Fill ``image`` (H, W), contiguous, from its frame. Raises ValueError for a frame of something else."""
        try:
            # the library trusts the frame's own length, and would write past the end of a smaller image
            length, compressed, _ = self._blosc2.get_cbuffer_sizes(frame)
            if (length, compressed) != (image.nbytes, len(frame)):
                raise ValueError(f"{length} bytes in {compressed}, not {image.nbytes} in {len(frame)}")
            self._blosc2.decompress2(frame, dst=image, nthreads=1)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ValueError(f"a compressed image cannot be restored ({error})") from None


def offsets_of(data: NDArray[np.uint8], rows: int) -> NDArray[np.uint64]:
    """Return the (rows + 1) offsets at the end of a compressed file's bytes; ValueError if they make no sense."""
    table = 8 * (rows + 1)
    offsets = np.frombuffer(data[-table:].tobytes(), "<u8") if len(data) >= table else np.empty(0, "<u8")
    if len(offsets) != rows + 1 or offsets[-1] != len(data) - table or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise ValueError("its table of rows makes no sense")
    return offsets
