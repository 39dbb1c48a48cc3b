"""How fast batches come from cold storage, against the published ways of keeping images, in the same run.

The published pipeline first kept one float32 .npy an image and read each with `np.load`, later batches of
128 in float64 .npz. Here the same images are read all four ways, one process each, in turns, the page cache
dropped before each: the published ones, ours, and a plain sequential read of our bytes, which is the limit. Ours are
raw shards of 16 bits, the default, and beside them compressed ones and 8 bits, for where the disk is the limit. All
of it is worth something only where it is more than training consumes, so that is measured too.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modality_assets.bench.cache import drop_caches, memcpy_gb_per_s, sequential_read_seconds
from modality_assets.bench.phantoms import make_decoded_folder
from modality_assets.bench.train import make_stepper
from modality_assets.modality import CLASSES
from modality_assets.shards.loader import Loader
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards

BATCH = 128
_LIGHTEST = ("mnasnet1_0", "resnet18")
"""The architectures with the least arithmetic: nothing takes images faster."""


def bench_loader(repeats: int = 3, folder: Path | None = None, small: int = 72_000, full: int = 6000) -> dict[str, Any]:
    """Return `measure_loader` of ``full`` images of 224², as published; "at_64" of ``small`` of 64², as many bytes."""
    return {
        **measure_loader(full, 224, repeats=repeats, folder=folder),
        "at_64": measure_loader(small, 64, repeats=repeats, folder=folder),
    }


def measure_loader(images: int, size: int, *, repeats: int = 3, folder: Path | None = None) -> dict[str, Any]:
    """Return speeds in images/s, medians over ``repeats``, and their ratios; on the GPU where there is one.

    ``folder`` is where about ``images`` · size² · 16 bytes are written for the time of the run; by default
    the system's temporary folder. It should lie on the disk that data roots lie on.
    """
    with tempfile.TemporaryDirectory(prefix="modality-bench-", dir=folder) as name:
        root = Path(name)
        reader, *others = _write_shards(root, images, size)
        pixel_files = _pixel_files(reader)
        # a quarter of the images is enough for what reads one file at a time
        singles = _write_single_files(root, reader, np.arange(max(1, images // 4)))
        batches = _write_float64_batches(root, reader, np.arange(max(1, images // 4)))
        ways: dict[str, tuple[Callable[[], int], list[Path]]] = {
            "sequential_read": (lambda: _read_sequentially(pixel_files, images), pixel_files),
            "shards": (lambda: _read_shards(reader), pixel_files),
            "shards_compressed": (lambda: _read_shards(others[0]), _pixel_files(others[0])),
            "shards_8_bit": (lambda: _read_shards(others[1]), _pixel_files(others[1])),
            "one_file_per_image": (lambda: _read_single_files(singles), singles),
            "float64_batches": (lambda: _read_float64_batches(batches), batches),
        }
        cold: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way, (read, files) in ways.items():
                forgotten = drop_caches(files)
                cold[way].append(_images_per_second(read))
        warm = {way: _warm(read) for way, (read, _) in ways.items()}
        balanced = _warm(lambda: _read_shards(reader, balance="class"))
        # what stays on a device is worth measuring where there is one
        resident = _warm(lambda: _read_shards(reader, resident=True)) if _device() == "cuda" else None
        stored = {way: sum(path.stat().st_size for path in files) for way, (_, files) in ways.items()}
    speed = {way: statistics.median(values) for way, values in cold.items()}
    consumed = {name: training_images_per_second(name, size) for name in _LIGHTEST}
    read_gb_per_s = speed["sequential_read"] * stored["sequential_read"] / images / 1e9
    single_bytes = stored["one_file_per_image"] / len(singles)
    return {
        "images": images,
        "size": size,
        "batch": BATCH,
        "repeats": repeats,
        "device": _device(),
        "cache_dropped_by": forgotten,
        "bytes_per_image": {
            **{way: round(stored[way] / images) for way in ("shards", "shards_compressed", "shards_8_bit")},
            "one_file_per_image": round(single_bytes),
        },
        "sequential_read_gb_per_s": round(read_gb_per_s, 2),
        "training_images_per_second": {name: round(value, 1) for name, value in consumed.items()},
        "cold_images_per_second": {way: round(value, 1) for way, value in speed.items()},
        "warm_images_per_second": {way: round(value, 1) for way, value in warm.items()},
        "warm_class_balanced_images_per_second": round(balanced, 1),
        "warm_resident_images_per_second": resident and round(resident, 1),
        "memcpy_gb_per_s": round(memcpy_gb_per_s(), 2),
        "shards_gb_per_s": round(speed["shards"] * size * size * 2 / 1e9, 3),
        "loader_to_one_file_per_image_ratio": _round(_median_ratio(cold, "shards", "one_file_per_image")),
        # the most that any reader of the same bytes could show on this disk
        "limit_to_one_file_per_image_ratio": _round(_median_ratio(cold, "sequential_read", "one_file_per_image")),
        "compressed_loader_to_one_file_per_image_ratio": _round(
            _median_ratio(cold, "shards_compressed", "one_file_per_image")
        ),
        "eight_bit_loader_to_one_file_per_image_ratio": _round(
            _median_ratio(cold, "shards_8_bit", "one_file_per_image")
        ),
        "loader_to_training_ratio": _round(speed["shards"] / max(consumed.values())),
        "loader_to_float64_batches_ratio": _round(_median_ratio(cold, "shards", "float64_batches")),
        "loader_to_sequential_read_ratio": _round(_median_ratio(cold, "shards", "sequential_read")),
        "warm_loader_to_one_file_per_image_ratio": _round(warm["shards"] / warm["one_file_per_image"]),
    }


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def training_images_per_second(architecture: str, size: int) -> float:
    """Return how many images of ``size``² training with ``architecture`` takes a second on this machine."""
    device = torch.device(_device())
    count, steps = (BATCH, 10) if device.type == "cuda" else (8, 1)
    stepper = make_stepper(architecture, device)
    images = torch.rand(count, 1, size, size, device=device).to(memory_format=torch.channels_last)
    labels = torch.arange(count, device=device) % len(CLASSES)
    float(stepper.step(images, labels)[0])  # warm-up
    started = time.perf_counter()
    for _ in range(steps):
        loss, _ = stepper.step(images, labels)
    float(loss)  # waits for the device
    return count * steps / (time.perf_counter() - started)


def _pixel_files(reader: ShardReader) -> list[Path]:
    return [reader.folder / file.name for file in reader.index.files]


def _write_shards(root: Path, images: int, size: int) -> list[ShardReader]:
    """Write raw shards of 16 bits, compressed ones, and raw ones of 8 bits, all of the same images."""
    share = -(-images // 3)
    decoded = [
        make_decoded_folder(
            root / "decoded" / f"bench-{number}", min(share, images - number * share), size, seed=number
        )
        for number in range(3)
        if images > number * share
    ]
    found = []
    ways: dict[str, dict[str, Any]] = {"raw": {}, "compressed": {"compress": True}, "eight": {"bits": 8}}
    for name, options in ways.items():
        folder = root / "shards" / name
        folder.mkdir(parents=True)
        write_shards(decoded, folder, split="train", rescaling="image_range", seed=0, caps={}, **options)
        found.append(ShardReader(folder))
    return found


def _write_single_files(root: Path, reader: ShardReader, rows: np.ndarray) -> list[Path]:
    """Write images the way they were first published: one float32 .npy each, rescaled to [0, 1]."""
    folder = root / "single"
    folder.mkdir()
    files = []
    for row, image in zip(rows.tolist(), reader.gather(rows), strict=True):
        files.append(folder / f"{row:07d}.npy")
        np.save(files[-1], (image / 65535).astype(np.float32))
    # read in random order, as training does
    return [files[number] for number in np.random.default_rng(0).permutation(len(files))]


def _write_float64_batches(root: Path, reader: ShardReader, rows: np.ndarray) -> list[Path]:
    """Write images the way they were later published: batches of 128, float64, one .npz each."""
    folder = root / "batches"
    folder.mkdir()
    files = []
    for start in range(0, len(rows), BATCH):
        files.append(folder / f"{start:07d}.npz")
        part = rows[start : start + BATCH]
        np.savez(files[-1], images=reader.gather(part) / 65535, labels=reader.labels[part])
    return files


def _read_single_files(files: list[Path]) -> int:
    for start in range(0, len(files), BATCH):
        torch.from_numpy(np.stack([np.load(file) for file in files[start : start + BATCH]])).unsqueeze(1)
    return len(files)


def _read_float64_batches(files: list[Path]) -> int:
    count = 0
    for file in files:
        with np.load(file) as batch:
            count += len(torch.from_numpy(batch["images"]).to(torch.float32).unsqueeze(1))
    return count


def _read_shards(reader: ShardReader, **options: Any) -> int:
    # opened anew: maps of earlier runs would keep pages from being dropped
    fresh = reader if options.get("resident") else ShardReader(reader.folder)
    chosen: dict[str, Any] = {"resident": False, "device": _device(), **options}
    count = sum(len(batch.images) for batch in Loader(fresh, BATCH, **chosen))
    if chosen["device"] == "cuda":
        torch.cuda.synchronize()
    return count


def _read_sequentially(files: list[Path], images: int) -> int:
    sequential_read_seconds(files)
    return images


def _images_per_second(read: Callable[[], int]) -> float:
    started = time.perf_counter()
    return read() / (time.perf_counter() - started)


def _warm(read: Callable[[], int]) -> float:
    read()
    return _images_per_second(read)


def _median_ratio(cold: dict[str, list[float]], one: str, other: str) -> float:
    """Return the median of the ratios within each turn, which a disk shared with others disturbs least."""
    return statistics.median(a / b for a, b in zip(cold[one], cold[other], strict=True))


def _round(value: float) -> float:
    return round(value, 3)
