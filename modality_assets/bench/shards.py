"""What shards cost: bytes, seconds and memory, beside the published float64 batches, in the same run."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modality_assets.bench.cache import memcpy_gb_per_s
from modality_assets.bench.phantoms import make_decoded_folder
from modality_assets.shards.filling import eight_bits
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards

BATCH = 128
FULL_SIZE_IMAGES, FULL_SIZE = 4_500_000, 224
"""The published study, to which time and bytes are extrapolated."""


def bench_shards(
    images: int = 3000,
    size: int = 224,
    memory_images: int = 50_000,
    memory_size: int = 64,
    decoded: Sequence[Path] | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Return bytes per image and speeds of each way of keeping images, and the peak memory of sharding.

    ``decoded`` are folders of decoded images to measure with, such as those of a data root; by default
    ``images`` phantoms of ``size``². Memory is that of a process that shards ``memory_images`` of
    ``memory_size``² and does nothing else; a million are 8 GB twice in ``folder``, by default the
    system's temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="modality-bench-", dir=folder) as name:
        root = Path(name)
        sources = list(decoded) if decoded else _phantoms(root / "decoded", images, size)
        options_of_ways: dict[str, dict[str, Any]] = {
            "raw_16_bit": {},
            "compressed_16_bit": {"compress": True},
            "raw_8_bit": {"bits": 8},
            "compressed_8_bit": {"bits": 8, "compress": True},
        }
        ways = {way: _measure_shards(sources, root / way, **options) for way, options in options_of_ways.items()}
        reader = ShardReader(root / "raw_16_bit")
        ways["float64_batches"] = _measure_float64_batches(reader, root / "batches")
        linked = _seconds(lambda: _write(sources, root / "linked", rescaling="hounsfield", reuse=[reader.folder]))
        verified = _seconds(lambda: reader.verify(full=True))
        error = _eight_bit_error(reader)
        count = len(reader)
    memory = sharding_memory(memory_images, memory_size, folder=folder)
    float64 = ways["float64_batches"]["bytes_per_image"]
    return {
        "images": count,
        "size": list(reader.index.shape),
        "source": "decoded folders given" if decoded else "phantoms",
        "ways": ways,
        "link_for_another_rescaling_images_per_second": round(count / linked, 1),
        "full_verification_images_per_second": round(count / verified, 1),
        "eight_bit_largest_error_of_range": error,
        "memcpy_gb_per_s": round(memcpy_gb_per_s(), 2),
        "memory": memory,
        "raw_bytes_to_float64_batches_ratio": round(ways["raw_16_bit"]["bytes_per_image"] / float64, 4),
        "compressed_bytes_to_float64_batches_ratio": round(ways["compressed_16_bit"]["bytes_per_image"] / float64, 4),
        "compressed_bytes_to_raw_ratio": round(
            ways["compressed_16_bit"]["bytes_per_image"] / ways["raw_16_bit"]["bytes_per_image"], 4
        ),
        "raw_write_speed_to_float64_batches_ratio": round(
            ways["raw_16_bit"]["write_images_per_second"] / ways["float64_batches"]["write_images_per_second"], 2
        ),
        "raw_read_speed_to_float64_batches_ratio": round(
            ways["raw_16_bit"]["read_images_per_second"] / ways["float64_batches"]["read_images_per_second"], 2
        ),
    }


def sharding_memory(images: int, size: int, datasets: int = 20, folder: Path | None = None) -> dict[str, Any]:
    """Return peak memory, seconds and bytes of sharding ``images`` of ``size``² in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="modality-bench-", dir=folder) as name:
        root = Path(name)
        share = -(-images // datasets)
        for number in range(datasets):
            make_decoded_folder(root / "decoded" / f"bench-{number:03d}", share, size, seed=number)
        command = [sys.executable, "-c", f"from {__name__} import _shard_alone; _shard_alone({str(root)!r})"]
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        shards = root / "shards"
        written = sum(path.stat().st_size for path in shards.iterdir())
        pixels = sum(path.stat().st_size for path in shards.glob("pixels-*"))
        count = share * datasets
    pixel_share = (FULL_SIZE / size) ** 2
    return {
        "images": count,
        "size": size,
        "datasets": datasets,
        "peak_mib": measured["peak_mib"],
        "mib_before": measured["mib_before"],
        "seconds": measured["seconds"],
        "images_per_second": round(count / measured["seconds"], 1),
        "bytes": written,
        # pixels grow with the images' area, the other arrays with their number
        "full_size_bytes": round((pixels * pixel_share + written - pixels) / count * FULL_SIZE_IMAGES),
        "full_size_hours_at_this_bytes_per_second": round(
            pixels * pixel_share / count * FULL_SIZE_IMAGES / (pixels / measured["seconds"]) / 3600, 2
        ),
    }


def _shard_alone(root: str) -> None:
    """Shard the folders below ``root``/decoded and print this process's seconds and peak memory as JSON."""
    before = _peak_mib()
    started = time.perf_counter()
    _write(sorted(Path(root, "decoded").iterdir()), Path(root, "shards"))
    seconds = round(time.perf_counter() - started, 3)
    print(json.dumps({"seconds": seconds, "peak_mib": _peak_mib(), "mib_before": before}))


def _peak_mib() -> float:
    """Return the most memory this process has had, MiB; not getrusage's, which counts what the parent had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise OSError("/proc/self/status has no VmHWM: peak memory is measured on Linux only")


def _phantoms(folder: Path, images: int, size: int) -> list[Path]:
    share = -(-images // 3)
    return [make_decoded_folder(folder / f"bench-{number}", share, size, seed=number) for number in range(3)]


def _write(sources: Sequence[Path], folder: Path, **options: Any) -> None:
    folder.mkdir()
    write_shards(sources, folder, split="train", seed=0, caps={}, **({"rescaling": "image_range"} | options))


def _measure_shards(sources: Sequence[Path], folder: Path, **options: Any) -> dict[str, float]:
    seconds = _seconds(lambda: _write(sources, folder, **options))
    reader = ShardReader(folder)
    rows = np.random.default_rng(0).permutation(len(reader))
    out = np.empty((BATCH, *reader.index.shape), reader.index.dtype)

    def read() -> None:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            reader.gather(part, out[: len(part)])

    return _facts(len(reader), sum(file.bytes for file in reader.index.files), seconds, read)


def _measure_float64_batches(reader: ShardReader, folder: Path) -> dict[str, float]:
    """Write and read the published batches: 128 images rescaled to [0, 1] in float64, one .npz each."""
    folder.mkdir()

    def write() -> None:
        for start in range(0, len(reader), BATCH):
            rows = np.arange(start, min(start + BATCH, len(reader)))
            np.savez(folder / f"{start:07d}.npz", images=reader.gather(rows) / 65535, labels=reader.labels[rows])

    seconds = _seconds(write)
    files = sorted(folder.iterdir())

    def read() -> None:
        for path in files:
            with np.load(path) as batch:
                batch["images"].astype(np.float32)

    return _facts(len(reader), sum(path.stat().st_size for path in files), seconds, read)


def _facts(images: int, stored: int, write_seconds: float, read: Callable[[], None]) -> dict[str, float]:
    read_seconds = statistics.median(_seconds(read) for _ in range(3))
    return {
        "bytes_per_image": round(stored / images, 1),
        "write_images_per_second": round(images / write_seconds, 1),
        "read_images_per_second": round(images / read_seconds, 1),
    }


def _eight_bit_error(reader: ShardReader) -> float:
    q = reader.gather(np.arange(min(len(reader), 256)))
    return round(float(np.abs(eight_bits(q) / 255 - q / 65535).max()), 5)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
