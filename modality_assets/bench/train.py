"""How fast our loop trains from shards, against the published way, in the same run on the same images.

The published way: one float32 .npy an image, read by the training process between steps, float32
arithmetic, the channels-first layout, and a look at the loss after every step. Ours: the loader of shards, which
reads ahead, channels last, a fused optimiser, freed memory kept for the next layer, and 16-bit arithmetic where the
device has it. Both take the same steps (forward, backward, SGD) with the same network, in turns, after a warm-up.
"""

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from modality_assets.bench.phantoms import make_decoded_folder
from modality_assets.learning import architectures
from modality_assets.learning.devices import autocast_dtype, choose_device, freed_memory_kept
from modality_assets.learning.optimisers import make_optimiser
from modality_assets.learning.recipes import recipe
from modality_assets.learning.step import Stepper
from modality_assets.modality import CLASSES
from modality_assets.progress import SILENT, Progress
from modality_assets.shards.loader import Loader
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards

RATE = 0.001  # low: the images mean nothing, and a diverging loss would be computed with other numbers


def bench_train(
    architecture: str | None = None,
    size: int | None = None,
    *,
    batch: int | None = None,
    images: int | None = None,
    repeats: int = 3,
    device: str = "auto",
    compile: bool = False,
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Return images/s of both ways (medians over ``repeats`` passes), ``train_ratio``, and our share of waiting.

    By default ResNet-50 at 224² in batches of 128 on a GPU, ResNet-18 at 64² in batches of 32 on a CPU.
    ``folder`` is where about ``images`` · size² · 10 bytes lie during the run, by default the temporary folder.
    """
    target = choose_device(device)
    on_gpu = target.type == "cuda"
    architecture = architecture or ("resnet50" if on_gpu else "resnet18")
    size, batch = size or (224 if on_gpu else 64), batch or (128 if on_gpu else 32)
    images = images or (64 if on_gpu else 8) * batch
    ours: list[float] = []
    published: list[float] = []
    waiting: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="modality-bench-", dir=folder) as name,
        _benchmark_mode(on_gpu),
        progress.task("Training both ways", total=2 * (repeats + 1), unit="passes") as task,
    ):
        reader = _write_shards(Path(name), images, size)
        files = _write_single_files(Path(name) / "single", reader)
        our_way = _OurWay(architecture, reader, batch, target, compile)
        published_way = _PublishedWay(architecture, files, reader.labels, batch, target)
        for repeat in range(repeats + 1):  # the first pass warms caches and chooses algorithms
            theirs = published_way.images_per_second()
            task.advance(1)
            speed, waited = our_way.images_per_second()
            task.advance(1)
            if repeat:
                published.append(theirs)
                ours.append(speed)
                waiting.append(waited)
    ratios = [one / other for one, other in zip(ours, published, strict=True)]
    return {
        "architecture": architecture,
        "size": size,
        "batch": batch,
        "images": images,
        "repeats": repeats,
        "device": torch.cuda.get_device_name(target) if on_gpu else "cpu",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "precision": str(our_way.stepper.dtype or torch.float32).removeprefix("torch."),
        "compile": compile,
        "ours_images_per_second": round(statistics.median(ours), 2),
        "published_images_per_second": round(statistics.median(published), 2),
        "waiting_share": round(statistics.median(waiting), 4),
        "train_ratio": round(statistics.median(ratios), 3),
    }


def make_stepper(architecture: str, device: torch.device, compiled: bool = False) -> Stepper:
    """Return our way to take steps with a new network."""
    network = architectures.build(architecture, len(CLASSES), seed=0)
    network = network.to(device).to(memory_format=torch.channels_last)
    chosen = recipe("dissertation", learning_rate=RATE)
    trained: nn.Module = torch.compile(network) if compiled else network  # type: ignore[assignment]
    return Stepper(trained, make_optimiser(network, chosen), chosen, autocast_dtype("auto", device))


class _OurWay:
    def __init__(
        self, architecture: str, reader: ShardReader, batch: int, device: torch.device, compiled: bool
    ) -> None:
        self.reader, self.batch, self.device = reader, batch, device
        self.stepper = make_stepper(architecture, device, compiled)

    def images_per_second(self) -> tuple[float, float]:
        """Train one pass; return its speed and the share of it spent waiting for images."""
        loader = Loader(self.reader, self.batch, seed=0, device=self.device, drop_last=True)
        with freed_memory_kept(self.device):
            started = time.perf_counter()
            total = torch.zeros((), dtype=torch.float64, device=self.device)
            for batch in loader:
                total += self.stepper.step(batch.images, batch.labels)[0]
            float(total)  # waits for the device
            seconds = time.perf_counter() - started
        return len(loader) * self.batch / seconds, loader.waiting_seconds / seconds


class _PublishedWay:
    def __init__(
        self, architecture: str, files: list[Path], labels: np.ndarray, batch: int, device: torch.device
    ) -> None:
        self.files, self.labels, self.batch, self.device = files, labels.astype(np.int64), batch, device
        self.network = architectures.build(architecture, len(CLASSES), seed=0).to(device)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=RATE, momentum=0.9)

    def images_per_second(self) -> float:
        order = np.random.default_rng(0).permutation(len(self.files))
        batches = len(order) // self.batch
        started = time.perf_counter()
        for rows in order[: batches * self.batch].reshape(batches, self.batch):
            pixels = np.stack([np.load(self.files[row]) for row in rows.tolist()])
            images = torch.from_numpy(pixels).unsqueeze(1).to(self.device)
            labels = torch.from_numpy(self.labels[rows]).to(self.device)
            self.optimiser.zero_grad()
            loss = F.cross_entropy(self.network(images), labels)
            loss.backward()
            self.optimiser.step()
            loss.item()
        return batches * self.batch / (time.perf_counter() - started)


def _write_shards(root: Path, images: int, size: int) -> ShardReader:
    decoded = make_decoded_folder(root / "decoded" / "bench", images, size)
    shards = root / "shards"
    shards.mkdir()
    write_shards([decoded], shards, split="train", rescaling="image_range", seed=0, caps={})
    return ShardReader(shards)


def _write_single_files(folder: Path, reader: ShardReader) -> list[Path]:
    folder.mkdir()
    files = [folder / f"{row:07d}.npy" for row in range(len(reader))]
    for row, file in enumerate(files):
        np.save(file, (reader.gather(np.array([row]))[0] / 65535).astype(np.float32))
    return files


@contextlib.contextmanager
def _benchmark_mode(on_gpu: bool) -> Iterator[None]:
    """Let both ways choose the fastest convolutions, as the published code could too."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = on_gpu
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
