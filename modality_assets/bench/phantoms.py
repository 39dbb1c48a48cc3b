"""Decoded folders of generated slices: as smooth, noisy and partly empty as medical images are, and nobody's."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modality_assets.modality import CLASSES

_DIFFERENT = 64  # slices drawn; the others are these with a little other noise, so that a million are quick


def phantom_slices(count: int, size: int, seed: int) -> NDArray[np.uint16]:
    """Return (count, size, size) uint16 q over the whole range: ellipses on air, with a 12-bit detector's noise."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    stored = np.zeros((count, size, size))
    for image in stored:
        body = np.zeros((size, size))
        for _ in range(6):
            centre, reach = random.uniform(-0.4, 0.4, 2), random.uniform(0.1, 0.8, 2)
            inside = ((row - centre[0]) / reach[0]) ** 2 + ((column - centre[1]) / reach[1]) ** 2 < 1
            body += inside * random.uniform(100, 900)
        # noise inside the body only: around it most archives hold exact zeros
        image[:] = body + (body > 0) * random.normal(0, 25, body.shape)
    stored = np.clip(np.round(stored), 0, 4095)
    low, high = stored.min(axis=(1, 2), keepdims=True), stored.max(axis=(1, 2), keepdims=True)
    return np.round(65535 * (stored - low) / np.maximum(high - low, 1)).astype(np.uint16)


def make_decoded_folder(folder: Path, images: int, size: int, *, seed: int = 0, per_file: int = 2048) -> Path:
    """Write one decoded dataset of ``images`` slices, named like its folder, of all classes; return the folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng([seed, *folder.name.encode()])
    drawn = phantom_slices(min(images, _DIFFERENT), size, int(random.integers(1 << 31)))
    number = np.arange(images)
    for file, start in enumerate(range(0, images, per_file)):
        pixels = drawn[number[start : start + per_file] % len(drawn)].copy()
        pixels ^= random.integers(0, 4, (len(pixels), 1, 1), dtype=np.uint16)
        np.save(folder / f"pixels-{file:05d}.npy", pixels)
    uid = [f"1.2.826.0.1.3680043.10.{seed}.{one}" for one in range(images)]
    pl.DataFrame(
        {
            "dataset": [folder.name] * images,
            "patient_id": [f"{folder.name}-{one // 200:04d}" for one in range(images)],
            "study_uid": [uid[one // 200 * 200] + ".1" for one in range(images)],
            "series_uid": [uid[one // 100 * 100] + ".2" for one in range(images)],
            "instance_uid": uid,
            "frame": [0] * images,
            "source_file": [f"{uid[one // 100 * 100]}.2/{one:06d}.dcm" for one in range(images)],
            "modality": [CLASSES[one // 100 % len(CLASSES)] for one in range(images)],
            "native_min": random.uniform(-1024, 0, images),
            "native_max": random.uniform(500, 4000, images),
            "unit": ["HU" if one // 100 % len(CLASSES) == 0 else None for one in range(images)],
            "pixel_file": [f"pixels-{one // per_file:05d}.npy" for one in range(images)],
            "pixel_index": number % per_file,
        }
    ).write_parquet(folder / "images.parquet")
    return folder
