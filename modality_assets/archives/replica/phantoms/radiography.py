"""Projection radiography of a phantom: line integrals, scatter, counting noise, and the way of the film."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.noise import blurred, resized, white
from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import attenuation_per_cm


@dataclass(frozen=True)
class Radiograph:
    """How an exposure is made: tube voltage, photons per pixel, scattered share, shutters and lead marker."""

    kilovolts: float = 90.0
    photons: float = 6000.0
    scatter: float = 0.25
    shutters: bool = True
    marker: bool = True
    sharpening: float = 0.5


def radiograph(body: Body, plane: Plane, exposure: Radiograph, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return one exposure for viewing, bone bright: (rows, columns) float32 in [0, 1]."""
    path = body.project(plane, attenuation_per_cm(exposure.kilovolts))
    if exposure.marker:
        _place_marker(path, rng)
    primary = np.exp(-path)
    size = 0.07 * plane.columns
    scattered = _blur_far(primary, size)
    intensity = (1 - exposure.scatter) * primary + exposure.scatter * scattered
    counts = rng.poisson(np.maximum(intensity * exposure.photons, 0.3)).astype(np.float32)
    counts = blurred(counts + 1, 0.6)
    image = -np.log(counts / exposure.photons)
    image += exposure.sharpening * (image - _blur_far(image, 0.02 * plane.columns))
    open_field = _open_field(plane, rng) if exposure.shutters else np.ones(path.shape, bool)
    seen = image[open_field & (path > 0.15)]
    low, high = np.quantile(seen, [0.01, 0.997]) if seen.size else (0.0, 1.0)
    low = low - 0.25 * (high - low)
    toned = np.clip((image - low) / max(high - low, 1e-3), 0, 1.12) / 1.12
    toned = toned ** np.float32(rng.uniform(0.85, 1.25)) + 0.004 * white(path.shape, rng)
    return np.where(open_field, np.clip(toned, 0, 1), np.float32(0.0)).astype(np.float32)


def _blur_far(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    small = resized(image, image.shape[0] // 4, image.shape[1] // 4)
    small = blurred(small, max(sigma / 4, 0.5))
    return resized(small, image.shape[0], image.shape[1], cv2.INTER_LINEAR)


def _place_marker(path: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Lay a letter of lead on the cassette, as radiographers do to tell the sides."""
    rows, columns = path.shape
    stencil = np.zeros(path.shape, np.uint8)
    spot = (int(columns * rng.choice([0.08, 0.86])), int(rows * rng.uniform(0.1, 0.2)))
    cv2.putText(
        stencil, str(rng.choice(["L", "R"])), spot, cv2.FONT_HERSHEY_SIMPLEX, columns / 420, 1, max(1, columns // 150)
    )
    path[stencil > 0] += 6.0


def _open_field(plane: Plane, rng: np.random.Generator) -> NDArray[np.bool_]:
    field = np.zeros((plane.rows, plane.columns), bool)
    top, bottom, left, right = (
        rng.uniform(0, 0.06, 4) * [plane.rows, plane.rows, plane.columns, plane.columns]
    ).astype(int)
    field[top : plane.rows - bottom, left : plane.columns - right] = True
    return field
