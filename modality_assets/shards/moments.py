"""Mean and standard deviation of all pixels of a split in one pass, in float64.

The published work skipped standardisation for fear of float32 sums over 150 G values. Here each image
has its own mean and squared deviation, taken while it is in the processor's cache, and images
are merged by Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
sample variances", which loses nothing however many there are.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


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
    scale, offset = affine[:, 0].astype(np.float64), affine[:, 1].astype(np.float64)
    mean, deviation = np.empty(len(pixels)), np.empty(len(pixels))
    clipped = clip & ((np.minimum(offset, offset + scale) < 0) | (np.maximum(offset, offset + scale) > 1))
    for place, image in enumerate(pixels):
        if clipped[place]:
            values = np.clip(image * (scale[place] / levels) + offset[place], 0.0, 1.0)
            mean[place] = values.mean()
            values -= mean[place]
            deviation[place] = np.vdot(values, values)
        else:
            mean_q, deviation_q = _moments_of_q(image)
            unit = scale[place] / levels
            mean[place], deviation[place] = mean_q * unit + offset[place], deviation_q * unit**2
    # Chan's formula for many groups of equal size at once
    middle = float(mean.mean())
    between = float(((mean - middle) ** 2).sum()) * pixels[0].size
    return Moments(pixels.size, middle, float(deviation.sum()) + between)


def _moments_of_q(image: NDArray[np.unsignedinteger]) -> tuple[float, float]:
    """Return the mean of one image (H, W) and the sum of squared deviations from it.

    OpenCV sums integers, or float64 that hold integers: above the minimum, so that little cancels in the difference.
    """
    low = image.min()
    above = image - low
    mean = float(cv2.mean(above)[0])
    return float(low) + mean, max(0.0, float(cv2.norm(above, cv2.NORM_L2SQR)) - mean * mean * image.size)
