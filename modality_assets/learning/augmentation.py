"""Random changes to training images that leave their class what it is, on the device, in plain torch.

One resampling does flips, zoom, shift and rotation together; intensities follow. Every random number
is drawn on the CPU from a generator made for the batch, so a resumed run sees the same images again,
and each rank of a distributed run can take its own share of the numbers drawn for the whole batch.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from modality_assets.learning.devices import sent


@dataclass(frozen=True)
class Augmentation:
    """How far images may be changed; the default changes nothing."""

    flip_horizontal: bool = False
    flip_vertical: bool = False
    zoom: tuple[float, float] = (1.0, 1.0)  # magnification, drawn log-uniformly; above 1 crops
    stretch: float = 0.0  # log-uniform change of the aspect ratio, at most exp(stretch)
    shift: float = 0.0  # of the image's half extent, in both directions
    rotation: float = 0.0  # degrees to either side
    gamma: float = 0.0  # exponent between exp(-gamma) and exp(gamma)
    contrast: float = 0.0  # factor between 1 - contrast and 1 + contrast about the image's mean
    brightness: float = 0.0  # added, between -brightness and brightness
    noise: float = 0.0  # largest standard deviation of added Gaussian noise
    blur: float = 0.0  # probability of losing resolution by a factor between 1 and 3
    erase: float = 0.0  # probability of a blank square of a quarter to a half of the side

    @property
    def moves_pixels(self) -> bool:
        return (
            self.flip_horizontal
            or self.flip_vertical
            or self.zoom != (1.0, 1.0)
            or bool(self.stretch or self.shift or self.rotation)
        )


def draw(count: int, generator: torch.Generator) -> Tensor:
    """Return the random numbers for ``count`` images: (count, 16) float32 in [0, 1), on the CPU."""
    return torch.rand(count, 16, generator=generator)


def augment(
    images: Tensor, augmentation: Augmentation, numbers: Tensor, noise: torch.Generator | None = None
) -> Tensor:
    """Return changed copies of ``images`` (N, 1, H, W) float32, rescaled, mostly in [0, 1].

    Nothing is clipped: some rescalings leave that range, and what evaluation sees must be seen in training.

    ``numbers`` is (N, 16) from `draw`; ``noise`` is the generator of per-pixel noise, on the images'
    device, needed only where the augmentation has noise.
    """
    u = sent(numbers, images.device)
    if augmentation.moves_pixels:
        images = _resample(images, augmentation, u)
    images = _change_intensities(images, augmentation, u)
    if augmentation.blur:
        images = _lose_resolution(images, augmentation.blur, numbers)
    if augmentation.noise:
        strength = augmentation.noise * _column(u, 12)
        images = images + strength * torch.randn(images.shape, generator=noise, device=images.device)
    if augmentation.erase:
        images = _erase(images, augmentation.erase, u)
    return images


def _column(u: Tensor, index: int) -> Tensor:
    return u[:, index].view(-1, 1, 1, 1)


def _signed(u: Tensor) -> Tensor:
    return 2 * u - 1


def _resample(images: Tensor, a: Augmentation, u: Tensor) -> Tensor:
    low, high = math.log(a.zoom[0]), math.log(a.zoom[1])
    scale = torch.exp(-(low + (high - low) * u[:, 0]))  # the grid shrinks where the image grows
    stretch = torch.exp(a.stretch * _signed(u[:, 1]) / 2)
    angle = math.radians(a.rotation) * _signed(u[:, 2])
    flip_x = torch.where((u[:, 3] < 0.5) & a.flip_horizontal, -1.0, 1.0)
    flip_y = torch.where((u[:, 4] < 0.5) & a.flip_vertical, -1.0, 1.0)
    # A crop may wander as far as its outermost pixel centres stay inside; beyond that only by the shift allowed.
    room = (1 - scale).clamp(min=0) * (1 - 1 / max(images.shape[-2:])) + a.shift
    shift_x, shift_y = room * _signed(u[:, 5]), room * _signed(u[:, 6])
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([scale * stretch * cos * flip_x, -scale * stretch * sin * flip_y, shift_x], dim=1),
            torch.stack([scale / stretch * sin * flip_x, scale / stretch * cos * flip_y, shift_y], dim=1),
        ],
        dim=1,
    )  # (N, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _change_intensities(images: Tensor, a: Augmentation, u: Tensor) -> Tensor:
    if a.gamma:
        images = images.sign() * images.abs() ** torch.exp(a.gamma * _signed(_column(u, 7)))
    if a.contrast:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = mean + (images - mean) * (1 + a.contrast * _signed(_column(u, 8)))
    if a.brightness:
        images = images + a.brightness * _signed(_column(u, 9))
    return images


def _lose_resolution(images: Tensor, probability: float, numbers: Tensor) -> Tensor:
    """Shrink some images by a factor between 1 and 3 and enlarge them again."""
    chosen = (numbers[:, 10] < probability).nonzero()[:, 0]
    images = images.clone()
    # Three sizes, each resampled together: one call an image would cost more than the training step.
    for third in range(3):
        some = sent(chosen[(numbers[chosen, 11] * 3).long() == third], images.device)
        if len(some):
            height, width = images.shape[-2:]
            factor = 1.5 + 0.75 * third
            small = F.interpolate(
                images[some], size=(round(height / factor), round(width / factor)), mode="bilinear", antialias=True
            )
            images[some] = F.interpolate(small, size=(height, width), mode="bilinear")
    return images


def _erase(images: Tensor, probability: float, u: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    side = 0.25 + 0.25 * _column(u, 13)
    y = torch.linspace(0, 1, height, device=images.device).view(1, 1, -1, 1)
    x = torch.linspace(0, 1, width, device=images.device).view(1, 1, 1, -1)
    top, left = _column(u, 14) * (1 - side), _column(u, 15) * (1 - side)
    inside = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
    # number 9 (brightness) is independent of the square's place; a 17th column would change old draws
    return torch.where(inside & (_column(u, 9) < probability), torch.zeros_like(images), images)
