"""Small shards whose classes are easy to tell apart, written with numpy alone as a training machine would find them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modality_assets.learning import architectures
from modality_assets.learning.augmentation import Augmentation
from modality_assets.learning.recipes import Recipe, recipe
from modality_assets.modality import CLASSES
from modality_assets.shards import index as fmt
from modality_assets.shards.reader import ShardReader


def draw_images(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return (N, size, size) uint16: noise with a bright quarter of the image, another one for each class."""
    q = np.random.default_rng(seed).integers(0, 20_000, (len(labels), size, size), dtype=np.uint16)
    half = size // 2
    for image, label in zip(q, labels, strict=True):
        top, left = half * (int(label) // 2), half * (int(label) % 2)
        image[top : top + half, left : left + half] += 40_000
    return q


def write_shards(
    folder: Path, labels: np.ndarray, *, size: int = 32, rescaling: str = "image_range", seed: int = 0, classes=CLASSES
) -> ShardReader:
    """Write shards of one image per label into ``folder``, two datasets by turns, and open them."""
    folder.mkdir(parents=True)
    q = draw_images(labels, size, seed)
    count = len(labels)
    provenance = np.zeros(
        count, [(n, "S16") for n in fmt.PROVENANCE_TEXTS] + [(n, "<i8") for n in fmt.PROVENANCE_NUMBERS]
    )
    provenance["series_uid"] = [f"1.2.{number}".encode() for number in range(count)]
    np.save(folder / "pixels-00000.npy", q)
    np.save(folder / fmt.AFFINE, np.tile(np.array([1, 0], np.float32), (count, 1)))
    np.save(folder / fmt.LABELS, labels.astype(np.uint8))
    np.save(folder / fmt.DATASETS, (np.arange(count) % 2).astype(np.uint16))
    np.save(folder / fmt.PROVENANCE, provenance)

    def facts(name: str) -> fmt.ShardFile:
        content = (folder / name).read_bytes()
        return fmt.ShardFile(name, count, hashlib.sha256(content).hexdigest(), len(content))

    index = fmt.ShardIndex(
        classes=tuple(classes),
        split=folder.name,
        rescaling=rescaling,
        clip=False,
        shape=(size, size),
        dtype="uint16",
        bits=16,
        images=count,
        images_per_class={name: int((labels == number).sum()) for number, name in enumerate(CLASSES)},
        datasets=("one", "two"),
        seed=0,
        caps={},
        mean=float(q.mean() / 65535),
        std=float(q.std() / 65535),
        files=(facts("pixels-00000.npy"),),
        arrays=tuple(facts(name) for name in fmt.ARRAYS),
    )
    (folder / fmt.INDEX).write_text(json.dumps(index.to_json()))
    return ShardReader(folder)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are no faster with more threads, and tests that share a machine much slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_shards(tmp_path: Path) -> Callable[..., ShardReader]:
    """Return a function that writes shards of ``count`` images, all classes by turns, and opens them."""

    def make(split: str = "train", count: int = 40, **changes) -> ShardReader:
        labels = changes.pop("labels", np.arange(count) % len(CLASSES))
        folder = tmp_path / f"shards-{changes.get('rescaling', 'image_range')}-{changes.get('size', 32)}" / split
        return write_shards(folder, labels, seed=len(split), **changes)

    return make


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an architecture with all that makes resuming hard (batch norm, dropout) and little else."""

    def build(classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(64, classes),
        )

    monkeypatch.setitem(architectures._ARCHITECTURES, "tiny", build)
    return "tiny"


@pytest.fixture
def brisk() -> Recipe:
    """A recipe with every ingredient that must survive a resumption, for three short epochs."""
    return replace(
        recipe("robust"),
        name="brisk",
        epochs=3,
        batch_size=16,
        learning_rate=1e-3,
        balance="class",
        augmentation=replace(Augmentation(), shift=0.1, rotation=5, noise=0.02),
    )
