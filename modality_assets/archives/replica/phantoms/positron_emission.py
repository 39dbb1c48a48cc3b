"""Positron emission tomography of a phantom: a tracer's uptake, blurred by the scanner, counted by Poisson."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.noise import blurred, resized
from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import AIR, tissue_property


@dataclass(frozen=True)
class Camera:
    """A scanner: blur (full width at half maximum, mm), counts in a voxel of unit uptake, filter of the image (mm)."""

    tracer: str = "fdg"
    blur_mm: float = 6.0
    counts: float = 30.0
    filter_mm: float = 5.0
    bq_per_ml_of_unit: float = 4200.0


def uptake_table(rng: np.random.Generator, camera: Camera) -> NDArray[np.float32]:
    """Return the uptake of every tissue in one patient, standardised uptake values."""
    table = tissue_property(camera.tracer)
    return (table * rng.lognormal(0, 0.18, len(table))).astype(np.float32)


def emission_image(
    body: Body, plane: Plane, table: NDArray[np.float32], camera: Camera, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return one slice in Bq/ml: (rows, columns) float32, never negative."""
    fine = Plane(plane.origin, plane.right, plane.down, plane.spacing_mm / 2, plane.rows * 2, plane.columns * 2)
    labels = body.cut(fine)
    activity = resized(table[labels], plane.rows, plane.columns)
    activity = blurred(activity, camera.blur_mm / 2.355 / plane.spacing_mm)
    # Deep tissue is seen through more attenuation, so its corrected counts are noisier.
    depth = blurred((labels[::2, ::2] != AIR).astype(np.float32), 60 / plane.spacing_mm)
    sensitivity = camera.counts * np.exp(-1.7 * depth)
    counts = rng.poisson(np.maximum(activity * sensitivity, 0) + 0.06 * sensitivity).astype(np.float32)
    image = counts / sensitivity
    image = blurred(image, camera.filter_mm / 2.355 / plane.spacing_mm)
    return np.maximum(image - 0.05, 0) * camera.bq_per_ml_of_unit
