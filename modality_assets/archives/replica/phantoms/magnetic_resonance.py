"""Magnetic resonance of a phantom: relaxation contrast, a coil's bias field, and Rician noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.noise import blurred, smooth_field, white
from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import CODE, tissue_property


@dataclass(frozen=True)
class Sequence:
    """A pulse sequence: times in ms, flip angle in degrees for gradient echoes, inversion time for FLAIR and STIR."""

    name: str
    repetition_ms: float
    echo_ms: float
    flip_degrees: float = 90.0
    inversion_ms: float | None = None
    fat_saturated: bool = False
    contrast_agent: bool = False


T1 = Sequence("T1 SE", 520, 12)
T1_GRE = Sequence("T1 FLASH", 9.0, 3.2, flip_degrees=20)
T1_CONTRAST = Sequence("T1 SE GD", 560, 12, contrast_agent=True)
T1_FAT_SATURATED = Sequence("T1 FS GD", 6.2, 2.6, flip_degrees=14, fat_saturated=True, contrast_agent=True)
T2 = Sequence("T2 TSE", 4200, 98)
T2_FAT_SATURATED = Sequence("T2 FS", 4600, 82, fat_saturated=True)
PROTON_DENSITY = Sequence("PD TSE", 2800, 28)
FLAIR = Sequence("T2 FLAIR", 9000, 110, inversion_ms=2500)


@dataclass(frozen=True)
class Magnet:
    """A scanner: noise as a share of the strongest signal, and how unevenly its coil listens."""

    field_tesla: float = 1.5
    noise: float = 0.025
    bias: float = 0.35
    surface_coil: bool = False


def signal_table(rng: np.random.Generator, sequence: Sequence, magnet: Magnet) -> NDArray[np.float32]:
    """Return the signal of every tissue in one patient, relative to fully relaxed water."""
    density, t1, t2 = (tissue_property(name) for name in ("proton_density", "t1_ms", "t2_ms"))
    t1 = t1 * (magnet.field_tesla / 1.5) ** 0.35 * rng.normal(1, 0.05, len(t1)).astype(np.float32)
    t2 = t2 * rng.normal(1, 0.05, len(t2)).astype(np.float32)
    if sequence.contrast_agent:
        for tissue, share in (
            ("tumour", 0.35),
            ("blood", 0.2),
            ("kidney", 0.25),
            ("gland", 0.7),
            ("spleen", 0.5),
            ("liver", 0.6),
        ):
            t1[CODE[tissue]] *= share
    e1 = np.exp(-sequence.repetition_ms / t1)
    if sequence.inversion_ms is not None:
        longitudinal = np.abs(1 - 2 * np.exp(-sequence.inversion_ms / t1) + e1)
    else:
        flip = np.radians(sequence.flip_degrees)
        longitudinal = np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1)
    signal = density * longitudinal * np.exp(-sequence.echo_ms / t2)
    if sequence.fat_saturated:
        signal[CODE["fat"]] *= 0.09
        signal[CODE["spongy_bone"]] *= 0.3
    if sequence.repetition_ms > 1000:
        signal[CODE["blood"]] *= 0.12  # spins leave the slice before the echo
    return (signal / np.quantile(signal, 0.9)).astype(np.float32)


def resonance_image(
    body: Body, plane: Plane, table: NDArray[np.float32], magnet: Magnet, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the magnitude of one slice, 1 being the signal of a bright tissue: (rows, columns) float32 >= 0."""
    labels = body.cut(plane)
    signal = table[labels]
    signal *= 1 + 0.05 * smooth_field(labels.shape, 2.4 / plane.spacing_mm, rng)
    signal = blurred(signal, max(0.55 / plane.spacing_mm, 0.5))
    signal *= _bias_field(plane, magnet, rng)
    ghost = np.roll(signal, signal.shape[0] // 3, axis=0) + np.roll(signal, -signal.shape[0] // 3, axis=0)
    signal += np.float32(rng.uniform(0, 0.018)) * blurred(ghost, 2.5)
    real = signal + magnet.noise * white(labels.shape, rng)
    imaginary = magnet.noise * white(labels.shape, rng)
    return np.hypot(real, imaginary)


def _bias_field(plane: Plane, magnet: Magnet, rng: np.random.Generator) -> NDArray[np.float32]:
    u = np.linspace(-1, 1, plane.columns, dtype=np.float32)[None, :]
    v = np.linspace(-1, 1, plane.rows, dtype=np.float32)[:, None]
    if magnet.surface_coil:
        height = np.float32(rng.choice([-1.0, 1.0]))
        return np.asarray(1.9 / (0.75 + 0.8 * (u**2 + (v - height) ** 2)) ** 1.1, np.float32)
    a, b, c, d = rng.normal(0, magnet.bias, 4).astype(np.float32)
    field = np.exp(0.6 * a * u + 0.6 * b * v + 0.5 * c * u * v - 0.5 * abs(d) * (u**2 + v**2))
    return np.asarray(field, np.float32)
