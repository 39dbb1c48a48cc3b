"""JPEG lossless, process 14 selection value 1: ITU-T T.81 annex H, one component, first-order prediction.

The decoders that the project uses read it, and none of its libraries writes it, so the encoder is here:
predict each sample from its left neighbour, write the size of the error by Huffman code and then its bits.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIZES = 17  # an error of 16-bit samples has 0 to 16 bits


def encode_jpeg_lossless(samples: NDArray[Any]) -> bytes:
    """Return the JPEG stream of ``samples``: (rows, columns), 8 or 16 bits, signed ones as their bit pattern."""
    precision = samples.dtype.itemsize * 8
    values = samples.view(np.uint8 if precision == 8 else np.uint16).astype(np.int32)
    rows, columns = values.shape
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (precision - 1)
    error = (values - predicted).astype(np.int16).astype(np.int32).ravel()  # modulo 2**16: H.1.2.1
    magnitude = np.abs(error)
    size = np.where(magnitude > 0, np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) + 1, 0)
    lengths, codes, order = _huffman(np.bincount(size, minlength=_SIZES))
    extra = np.where(error >= 0, error, error + (1 << size) - 1)
    extra_length = np.where(size == 16, 0, size)  # a size of 16 stands for the one error -32768
    stream = _pack(codes[size], lengths[size], np.where(size == 16, 0, extra), extra_length)
    counts = np.bincount(lengths[order], minlength=17)[1:17]
    table = bytes([0]) + bytes(counts.astype(np.uint8)) + bytes(order)
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xC3, struct.pack(">BHHBBBB", precision, rows, columns, 1, 1, 0x11, 0)),
            _segment(0xC4, table),
            _segment(0xDA, bytes([1, 1, 0x00, 1, 0, 0])),
            stream.replace(b"\xff", b"\xff\x00"),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _huffman(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
    """Return code lengths and codes per size, and the sizes in the order of their codes.

    Lengths grow by one from the most frequent size on, all ones being forbidden: never longer than 16 bits
    for up to 16 sizes beside the two shortest, and close to optimal, since errors are peaked.
    """
    used = [int(size) for size in np.argsort(-counts, kind="stable") if counts[size]]
    if len(used) == 1:
        used.append((used[0] + 1) % _SIZES)
    lengths, codes = np.zeros(_SIZES, np.int64), np.zeros(_SIZES, np.int64)
    # Four sizes share the front with two-bit and three-bit codes where there are many sizes.
    plan = [2, 2, 2, 3, *range(4, 17)] if len(used) > 4 else list(range(1, len(used) + 1))
    code, previous = 0, plan[0]
    for size, length in zip(used, plan, strict=False):
        code <<= length - previous
        lengths[size], codes[size] = length, code
        code, previous = code + 1, length
    return lengths, codes, used


def _pack(
    codes: NDArray[np.int64],
    code_lengths: NDArray[np.int64],
    extras: NDArray[np.int32],
    extra_lengths: NDArray[np.int32],
) -> bytes:
    """Write each code and its extra bits one after the other, most significant bit first, filled with ones."""
    lengths = code_lengths + extra_lengths
    words = (codes << extra_lengths) | extras
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.cumsum(lengths)[owner] - np.arange(len(owner)) - 1  # 0 is the last bit of a word
    bits = ((words[owner] >> place) & 1).astype(np.uint8)
    fill = np.ones(-len(bits) % 8, np.uint8)
    return np.packbits(np.concatenate([bits, fill])).tobytes()
