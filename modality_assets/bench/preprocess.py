"""Files of CT slices to finished training images, ours against the published way, on one core and in the same run.

The published way: SimpleITK reads each file, float64 rescaling to the image's range, resizing, one float32 .npy an
image. Its code makes two passes over every file, of which one is timed; ``two_passes`` reads every file once more, as
it did. Ours is what the graph does: contained decoding into a folder with a manifest, then shuffled shards with hashes,
statistics and provenance, and their manifest. Each way runs in a process of its own that may use one core only (two,
for two workers), SimpleITK's threads included, in turns, several times; medians are reported. Before its clock starts
each way touches as much memory as it may fill: hypervisors lend fresh pages at a tenth of the speed of memory. The
limit is reading the same bytes; that of two workers is two processes which know nothing of each other, each on its
own core with all files: cores that share a disk, a cache or a physical core are not twice as fast as one.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modality_assets.imaging.worker_process import processor_seconds
from modality_assets.imaging.workers import WORKER_ENVIRONMENT, Batch, DecodingPool, Piece

_CORES = {"two_workers": 2}
_WARM_UP = 8
_PROCESS_SECONDS = 600


def bench_preprocess(
    images: int = 3072, size: int = 224, repeats: int = 3, files: Sequence[Path] = (), folder: Path | None = None
) -> dict[str, Any]:
    """Return speeds in images/s, peak memory, bytes an image, and ratios; keys ending in ``_ratio`` compare.

    ``files`` are taken where given, of one frame each; else ``images`` phantoms of 512 x 512 are written below
    ``folder``, by default the system's temporary folder, for the time of the run.
    """
    from modality_assets.bench.phantoms import write_ct_slices  # not above: NumPy counts the cores when it is imported

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    with tempfile.TemporaryDirectory(prefix="modality-bench-", dir=folder) as name:
        root = Path(name)
        chosen = [Path(path) for path in files] or write_ct_slices(root / "slices", images)
        ways = [way for way in _WAYS if _CORES.get(way, 1) <= len(cores)]
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        apart: list[float] = []
        for number in range(repeats):
            for way in ways:
                into = root / f"{way}-{number}"
                into.mkdir()
                runs[way].append(_run(way, chosen, into, size, cores[: _CORES.get(way, 1)]))
                shutil.rmtree(into)
            if len(cores) > 1:
                apart.append(_two_apart(chosen, root, size, cores))
    speed = {way: statistics.median(run["images_per_second"] for run in found) for way, found in runs.items()}
    processor = {way: statistics.median(run["processor_seconds"] for run in found) for way, found in runs.items()}
    last = {way: found[-1] for way, found in runs.items()}
    two = speed.get("two_workers")
    return {
        "images": len(chosen),
        "size": size,
        "repeats": repeats,
        "source_bytes_per_image": last["read"]["bytes"] / len(chosen),
        "images_per_second_per_core": speed,
        "images_per_processor_second": {way: len(chosen) / seconds for way, seconds in processor.items()},
        "bytes_per_image": {way: last[way]["bytes"] / len(chosen) for way in ("published", "shards", "decode")},
        "peak_memory_mb": {way: round(last[way]["peak_bytes"] / 1e6) for way in ways},
        "worker_peak_memory_mb": {way: round(last[way]["worker_peak_bytes"] / 1e6) for way in ways},
        "worker_start_seconds": last["decode"]["start_seconds"],
        "shards_to_published_ratio": speed["shards"] / speed["published"],
        "shards_to_published_two_passes_ratio": speed["shards"] / speed["two_passes"],
        "shards_to_published_processor_ratio": processor["published"] / processor["shards"],
        "decode_to_published_ratio": speed["decode"] / speed["published"],
        "shards_to_reading_ratio": speed["shards"] / speed["read"],
        "contained_to_uncontained_ratio": speed["decode"] / speed["uncontained"],
        "contained_to_uncontained_processor_ratio": processor["uncontained"] / processor["decode"],
        "two_workers_to_one_ratio": two / speed["shards"] if two else None,
        "two_apart_to_one_ratio": statistics.median(apart) / speed["shards"] if apart else None,
        "two_workers_to_two_apart_ratio": two / statistics.median(apart) if two else None,
        "bytes_to_published_ratio": last["shards"]["bytes"] / last["published"]["bytes"],
        "bytes_to_published_float64_ratio": last["shards"]["bytes"] / len(chosen) / (size * size * 8),
    }


class Uncontained:
    """Decodes in this process, without limits: for files one trusts, and to see what containment costs."""

    workers = 1

    def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]:
        """Give one piece a batch, in order; as `DecodingPool.decode`."""
        from modality_assets.imaging.batch import decode_files, open_part

        for batch in batches:
            with open_part(batch.part) as part:
                records = list(decode_files(batch.files, part, size=size, aspect=aspect))
            yield Piece(batch.part, records)


def _read(files: list[Path], into: Path, size: int) -> dict[str, Any]:
    buffer = bytearray(max(path.stat().st_size for path in files) + 1)
    clock = _Clock()
    total = 0
    for path in files:
        with path.open("rb", buffering=0) as file:
            total += file.readinto(buffer)
    return clock.stop() | {"bytes": total}


def _published(files: list[Path], into: Path, size: int, passes: int = 1) -> dict[str, Any]:
    import cv2
    import numpy as np
    import SimpleITK

    cv2.setNumThreads(1)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def preprocess(path: Path, target: Path) -> None:
        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[0].astype(np.float64)
        image = (image - image.min()) / (image.max() - image.min())
        np.save(target, cv2.resize(image, (size, size)).astype(np.float32))

    for path in files[:_WARM_UP]:
        preprocess(path, into / "warm-up.npy")
    (into / "warm-up.npy").unlink()
    clock = _Clock()
    for _ in range(passes - 1):
        for path in files:
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    for number, path in enumerate(files):
        preprocess(path, into / f"{number:07d}.npy")
    return clock.stop() | {"bytes": _bytes_below(into)}


def _two_passes(files: list[Path], into: Path, size: int) -> dict[str, Any]:
    return _published(files, into, size, passes=2)


def _shards(files: list[Path], into: Path, size: int, workers: int = 1) -> dict[str, Any]:
    from modality_assets.shards.writer import write_shards

    def make(chosen: list[Path], target: Path) -> None:
        decoded, shards = target / "decoded" / "BENCH", target / "shards"
        _publish(decoded, _decode_into(chosen, decoded, size, pool))
        shards.mkdir()
        options: dict[str, Any] = {"split": "train", "rescaling": "image_range", "seed": 0, "caps": {}}
        index = write_shards([decoded], shards, **options)
        _publish(shards, {file.name: file.sha256 for file in (*index.files, *index.arrays)})

    with DecodingPool(workers) as pool:
        make(files[: _WARM_UP * workers], into / "warm-up")
        clock = _Clock(pool)
        make(files, into / "whole")
        return clock.stop() | {"bytes": _bytes_below(into / "whole" / "shards")}


def _two_workers(files: list[Path], into: Path, size: int) -> dict[str, Any]:
    return _shards(files, into, size, workers=2)


def _two_apart(files: list[Path], root: Path, size: int, cores: list[int]) -> float:
    """Return images/s of two processes together that each make shards of all files, on a core of their own."""

    def run(core: int) -> float:
        with tempfile.TemporaryDirectory(prefix="apart-", dir=root) as into:
            return float(_run("shards", files, Path(into), size, [core])["images_per_second"])

    with ThreadPoolExecutor(2) as both:
        return sum(both.map(run, cores[:2]))


def _decode(files: list[Path], into: Path, size: int) -> dict[str, Any]:
    with DecodingPool(1) as pool:
        started = time.perf_counter()
        _decode_into(files[:1], into / "warm-up", size, pool)
        start_seconds = time.perf_counter() - started
        return _timed_decode(files, into, size, pool) | {"start_seconds": start_seconds}


def _uncontained(files: list[Path], into: Path, size: int) -> dict[str, Any]:
    import cv2

    cv2.setNumThreads(1)
    pool = Uncontained()
    _decode_into(files[:_WARM_UP], into / "warm-up", size, pool)
    return _timed_decode(files, into, size, pool)


def _timed_decode(files: list[Path], into: Path, size: int, pool: Any) -> dict[str, Any]:
    clock = _Clock(pool)
    _decode_into(files, into / "whole", size, pool)
    return clock.stop() | {"bytes": _bytes_below(into / "whole")}


class _Clock:
    """Seconds by the wall, and by the processors: of this process and of the pool's workers."""

    def __init__(self, pool: Any = None) -> None:
        self._pool = pool
        self._wall, self._processor = time.perf_counter(), self._processor_seconds()

    def stop(self) -> dict[str, float]:
        wall = time.perf_counter() - self._wall
        return {"seconds": wall, "processor_seconds": self._processor_seconds() - self._processor}

    def _processor_seconds(self) -> float:
        pids = self._pool.worker_pids() if isinstance(self._pool, DecodingPool) else []
        return time.process_time() + sum(map(processor_seconds, pids))


def _publish(folder: Path, sha256: dict[str, str]) -> None:
    """Write the folder's manifest, as of any result; files that were not hashed on the way are hashed now."""
    from dataclasses import asdict

    from modality_assets.manifest import MANIFEST, describe, write_json

    facts: dict[str, Any] = {"asset": "bench", "partition": None, "input_hash": "", "code_version": "1", "run_id": ""}
    write_json(folder / MANIFEST, asdict(describe(folder, seconds=0.0, sha256=sha256, **facts)))


def _touch_memory(size_bytes: int) -> None:
    """Make the kernel own this much memory, and free it again; in a process of its own, as peaks are measured."""
    subprocess.run([sys.executable, "-c", f"bytearray(b'1') * {size_bytes}"], check=True)


def _decode_into(files: list[Path], staged: Path, size: int, pool: Any) -> dict[str, str]:
    from modality_assets.imaging.decoded import SourceFile, decode_dataset

    sources = [
        SourceFile("BENCH", path, f"1.2.3/{number:07d}.dcm", "patient", "1.2", "1.2.3", "CT")
        for number, path in enumerate(files)
    ]
    report = decode_dataset(sources, staged, image_size=size, pool=pool)
    if report.images != len(files):
        raise RuntimeError(f"{len(files)} files gave {report.images} images: {report.reasons}; choose other files")
    return report.sha256


_WAYS: dict[str, Callable[[list[Path], Path, int], dict[str, Any]]] = {
    "read": _read,
    "published": _published,
    "two_passes": _two_passes,
    "shards": _shards,
    "decode": _decode,
    "uncontained": _uncontained,
    "two_workers": _two_workers,
}


def _run(way: str, files: list[Path], into: Path, size: int, cores: list[int]) -> dict[str, Any]:
    """Run one way in a new process that is bound to ``cores`` before it imports anything that counts them."""
    request = {"way": way, "files": list(map(str, files)), "into": str(into), "size": size, "cores": cores}
    # what workers are given, for a fair comparison of the same work without them
    tuned = WORKER_ENVIRONMENT if way == "uncontained" else {}
    single = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name if __spec__ else __name__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=_PROCESS_SECONDS,
        env=os.environ | tuned | single | {"POLARS_MAX_THREADS": str(len(cores))},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"measuring {way} failed: {done.stderr.strip().splitlines()[-1:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _serve() -> None:
    request = json.load(sys.stdin)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, request["cores"])
    files = [Path(path) for path in request["files"]]
    _touch_memory((64 << 20) + 8 * len(files) * request["size"] ** 2)
    result = _WAYS[request["way"]](files, Path(request["into"]), request["size"])
    result["images_per_second"] = len(files) / result["seconds"]
    result["peak_bytes"] = _peak_bytes()
    result["worker_peak_bytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps(result))


def _peak_bytes() -> int:
    """Return the most memory this process held; ru_maxrss would count the one that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    _serve()
