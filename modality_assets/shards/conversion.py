"""Stored numbers → rescaled values: scale · q / levels + offset, clipped to [0, 1] where the rescaling clips.

Twice the same arithmetic, in float32 and in the same order: numpy on the host, in place, because torch's
fresh 25 MB a batch cost ten times what the arithmetic costs; torch on a device.
"""

import numpy as np
import torch
from numpy.typing import NDArray


def rescale_on_host(
    pixels: NDArray[np.unsignedinteger],
    affine: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    levels: int,
    clip: bool,
) -> None:
    """Fill ``out`` (n, H, W) with the rescaled ``pixels`` (n, H, W); ``affine`` is (n, 2)."""
    np.copyto(out, pixels)
    out /= np.float32(levels)
    if (affine[:, 0] != 1).any():  # image_range needs neither
        out *= affine[:, 0, None, None]
    if affine[:, 1].any():
        out += affine[:, 1, None, None]
    if clip:
        np.clip(out, 0.0, 1.0, out=out)


def rescale_on_device(pixels: torch.Tensor, affine: torch.Tensor, *, levels: int, clip: bool) -> torch.Tensor:
    """Return (n, 1, H, W) float32 of ``pixels`` (n, H, W): uint8, or int16 that holds the bits of uint16.

    torch has few operations for uint16, and all for int16.
    """
    whole = pixels if pixels.dtype == torch.uint8 else pixels.to(torch.int32).bitwise_and_(0xFFFF)
    values = whole.to(torch.float32).div_(levels)
    values.mul_(affine[:, 0, None, None]).add_(affine[:, 1, None, None])
    return (values.clamp_(0.0, 1.0) if clip else values).unsqueeze_(1)


def as_tensor(pixels: NDArray[np.unsignedinteger]) -> torch.Tensor:
    """Return a tensor of the same memory: uint8, or int16 with the bits of uint16."""
    return torch.from_numpy(pixels if pixels.dtype == np.uint8 else pixels.view(np.int16))
