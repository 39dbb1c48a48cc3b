"""Decoded folders as the contract has them, made of random numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards

MakeDecoded = Callable[..., Path]
MakeShards = Callable[..., ShardReader]


def decoded_folder(
    folder: Path,
    classes: Sequence[str],
    *,
    size: int = 8,
    per_file: int = 7,
    seed: int = 0,
) -> Path:
    """Write one decoded dataset, named like its folder, with an image per entry of ``classes``."""
    random = np.random.default_rng([seed, *folder.name.encode()])
    folder.mkdir(parents=True)
    count, dataset = len(classes), folder.name
    pixels = random.integers(0, 65536, (count, size, size), dtype=np.uint16)
    pixels[:, 0, 0], pixels[:, -1, -1] = 0, 65535
    for number, start in enumerate(range(0, count, per_file)):
        np.save(folder / f"pixels-{number:05d}.npy", pixels[start : start + per_file])
    native_min = random.uniform(-1000, 0, count)
    reach = random.uniform(100, 3000, count)
    pl.DataFrame(
        {
            "dataset": [dataset] * count,
            "patient_id": [f"{dataset}-Pätient-{number // 4}" for number in range(count)],
            "study_uid": [f"1.2.{number // 4}" for number in range(count)],
            "series_uid": [f"1.2.3.{number // 3}" for number in range(count)],
            "instance_uid": [None if number % 5 == 4 else f"1.2.3.4.{number}" for number in range(count)],
            "frame": [number % 3 for number in range(count)],
            "source_file": [f"1.2.3.{number // 3}/{number:04d}.dcm" for number in range(count)],
            "format": ["DICOM"] * count,
            "modality": list(classes),
            "bits_stored": [12] * count,
            "signed": [True] * count,
            "stored_dtype_min": [-2048.0] * count,
            "stored_dtype_max": [2047.0] * count,
            "slope": [1.0] * count,
            "intercept": [0.0] * count,
            "native_min": native_min,
            "native_max": native_min + reach,
            "native_p01": native_min + 0.1 * reach,
            "native_p99": native_min + 0.8 * reach,
            "unit": ["HU" if name == "CT" else None for name in classes],
            "pixel_file": [f"pixels-{number // per_file:05d}.npy" for number in range(count)],
            "pixel_index": [number % per_file for number in range(count)],
        },
        schema_overrides={"instance_uid": pl.String, "modality": pl.String, "unit": pl.String},
    ).write_parquet(folder / "images.parquet")
    return folder


@pytest.fixture
def make_decoded(tmp_path: Path) -> MakeDecoded:
    def make(dataset: str, classes: Sequence[str], **options: int) -> Path:
        return decoded_folder(tmp_path / "decoded" / dataset, classes, **options)

    return make


@pytest.fixture
def three_datasets(make_decoded: MakeDecoded) -> list[Path]:
    """61 images: two datasets of one class each, and one of two classes."""
    return [
        make_decoded("Alpha", ["CT"] * 23),
        make_decoded("Beta", ["MR"] * 10 + ["PT"] * 11),
        make_decoded("Gamma", ["XR"] * 17),
    ]


@pytest.fixture
def make_shards(tmp_path: Path) -> MakeShards:
    def make(decoded: Sequence[Path], name: str = "image_range/train", **options: object) -> ShardReader:
        folder = tmp_path / "shards" / name
        folder.mkdir(parents=True)
        rescaling, split = name.split("/")
        settings: dict = {"split": split, "rescaling": rescaling, "seed": 0, "caps": {}, "file_bytes": 2048} | options
        write_shards(decoded, folder, **settings)
        return ShardReader(folder)

    return make
