"""Computed tomography of a phantom: attenuation in Hounsfield units, the couch, and the noise of reconstruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.noise import blurred, smooth_field, white
from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import AIR, CODE, attenuation_per_cm, tissue_property

HOUNSFIELD_AIR = -1000.0


@dataclass(frozen=True)
class Tomograph:
    """How a scanner is set: ``kernel`` soft or sharp, noise in HU, and what lies outside its circular field."""

    kernel: str = "soft"
    noise_hu: float = 14.0
    contrast: bool = True
    couch: str = "curved"
    outside_hu: float | None = None
    kilovolts: float = 120.0


def hounsfield_table(rng: np.random.Generator, scanner: Tomograph) -> NDArray[np.float32]:
    """Return the attenuation of every tissue in one patient, HU, contrast agent included."""
    table = tissue_property("hu") + rng.normal(0, 4, len(tissue_property("hu"))).astype(np.float32)
    table[AIR] = HOUNSFIELD_AIR
    if scanner.contrast:
        for tissue, agent in (
            ("blood", 140),
            ("kidney", 130),
            ("liver", 50),
            ("spleen", 70),
            ("myocardium", 60),
            ("tumour", 35),
        ):
            table[CODE[tissue]] += agent * rng.uniform(0.7, 1.2)
    return table


def tomogram(
    body: Body, plane: Plane, table: NDArray[np.float32], scanner: Tomograph, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return one axial slice in Hounsfield units: (rows, columns) float32."""
    labels = body.cut(plane)
    image = table[labels]
    size = labels.shape
    # Tissue is not uniform: lung most of all, where small vessels are not drawn one by one.
    image += smooth_field(size, 2.2 / plane.spacing_mm, rng) * np.where(labels == CODE["lung"], 38, 7).astype(
        np.float32
    )
    spongy = labels == CODE["spongy_bone"]
    if spongy.any():
        image += np.where(spongy, smooth_field(size, 1.1 / plane.spacing_mm, rng) * 70, 0)
    _add_couch(image, labels, plane, scanner.couch)
    blur = 0.9 if scanner.kernel == "soft" else 0.45
    image = blurred(image, max(blur / plane.spacing_mm, 0.35))
    image += _noise(labels, plane, scanner, rng)
    if scanner.outside_hu is not None:
        u, v = plane.axes()
        radius = plane.spacing_mm * plane.columns / 2
        image[(u[None, :] ** 2 + v[:, None] ** 2) > radius**2] = scanner.outside_hu
    return np.maximum(image, HOUNSFIELD_AIR - 24 if scanner.outside_hu is None else scanner.outside_hu)


def localizer(body: Body, plane: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a scout: a projection by the tomograph itself, scaled as it scales its slices; float32 in HU."""
    path = body.project(plane, attenuation_per_cm(120))
    counts = rng.poisson(np.exp(-np.minimum(path, 9)) * 3e4 + 2).astype(np.float32) + 1
    return -np.log(counts / 3e4) * 190 - 950


def _add_couch(image: NDArray[np.float32], labels: NDArray[np.uint8], plane: Plane, kind: str) -> None:
    if kind == "none":
        return
    u, v = plane.axes()
    bottom = np.flatnonzero((labels != AIR).any(axis=1))
    if not len(bottom):
        return
    top = float(v[bottom[-1]]) + 4  # mm: the patient lies on it
    curve = top - (u / 62) ** 2 * 3.5 if kind == "curved" else np.full_like(u, top)
    depth = v[:, None] - curve[None, :]
    free = (labels == AIR) & (np.abs(u)[None, :] < 205)
    image[free & (depth > 0) & (depth < 32)] = -920  # foam
    image[free & (((depth > 0) & (depth < 3)) | ((depth > 29) & (depth < 32)))] = -180  # carbon shells


def _noise(
    labels: NDArray[np.uint8], plane: Plane, scanner: Tomograph, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise as filtered back-projection leaves it: grain set by the kernel, streaks where the patient is wide."""
    noise = white(labels.shape, rng)
    if scanner.kernel == "soft":
        noise = blurred(noise, 1.1)
    else:
        noise -= 0.75 * blurred(noise, 1.2)
    noise /= noise.std()
    streaks = blurred(white(labels.shape, rng), 9, 0.8)
    dense = (labels != AIR).mean(axis=1, dtype=np.float32)[:, None]
    strength = 0.45 + 0.9 * float((labels != AIR).mean())
    return scanner.noise_hu * (strength * noise + 0.9 * dense * streaks / streaks.std())
