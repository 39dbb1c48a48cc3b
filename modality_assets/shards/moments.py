"""Mean and standard deviation of all pixels of a split in one pass, in float64.

The published work skipped standardisation for fear of float32 sums over 150 G values. Here each image
has its own mean and squared deviation (two passes while it is in the processor's cache), and images
are merged by Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
sample variances", which loses nothing however many there are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 1 << 16  # float64 values at a time: 512 KiB stay in the cache


@dataclass(frozen=True)
class Moments:
    """Number of values, their mean, and the sum of squared deviations from it."""

    count: int = 0
    mean: float = 0.0
    squared_deviation: float = 0.0

    @property
    def std(self) -> float:
        """The standard deviation of the values themselves (divided by count, not count − 1)."""
        return float(np.sqrt(self.squared_deviation / self.count)) if self.count else 0.0

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of values together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        step = other.mean - self.mean
        return Moments(
            count,
            self.mean + step * (other.count / count),
            self.squared_deviation + other.squared_deviation + step * step * (self.count * other.count / count),
        )


def moments_of_images(
    pixels: NDArray[np.unsignedinteger], affine: NDArray[np.float32], *, levels: int, clip: bool
) -> Moments:
    """Return the moments of the rescaled values of ``pixels`` (n, H, W), q in [0, levels].

    Values are ``affine[:, 0] · q / levels + affine[:, 1]`` in float64, clipped to [0, 1] where ``clip``.
    Values that no clipping touches are never made: their moments follow from those of q.
    """
    if not pixels.size:
        return Moments()
    flat = pixels.reshape(len(pixels), -1)
    scale, offset = affine[:, 0].astype(np.float64), affine[:, 1].astype(np.float64)
    mean, deviation = np.empty(len(flat)), np.empty(len(flat))
    step = max(1, _BLOCK_VALUES // max(1, flat.shape[1]))
    outside = (np.minimum(offset, offset + scale) < 0) | (np.maximum(offset, offset + scale) > 1)
    for start in range(0, len(flat), step):
        block = slice(start, start + step)
        values = flat[block].astype(np.float64)
        real = (outside[block] & clip)[:, None]
        if real.any():
            clipped = np.clip(values * (scale[block, None] / levels) + offset[block, None], 0.0, 1.0)
            values = np.where(real, clipped, values)
        block_mean = values.mean(axis=1)
        values -= block_mean[:, None]
        block_deviation = np.einsum("ij,ij->i", values, values)
        unit = np.where(real[:, 0], 1.0, scale[block] / levels)
        mean[block] = block_mean * unit + np.where(real[:, 0], 0.0, offset[block])
        deviation[block] = block_deviation * unit**2
    # Chan's formula for many groups of equal size at once
    middle = float(mean.mean())
    between = float(((mean - middle) ** 2).sum()) * flat.shape[1]
    return Moments(flat.size, middle, float(deviation.sum()) + between)
