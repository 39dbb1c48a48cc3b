"""What verification costs: series fetched by the verified store against bare GETs of the same zips.

Both are done by the same client with as many workers, in turns, from the embedded archive's server in a
process of its own. In life the server is another machine, and its speed limits both ways; here it is held to
one core, so that the bare GETs do not show what two machines' cores together could send.
"""

import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from modality_assets.archives.http import HttpClient
from modality_assets.archives.nbia import NbiaArchive
from modality_assets.archives.replica.server import serve
from modality_assets.archives.store import fetch_dataset
from modality_assets.progress import SILENT, Progress

FILES_PER_SERIES = 100
_SIDE = 500  # pixels of 2 bytes: 0.5 MB a file
_ROOT = "1.2.826.0.1.3680043.8.498.7"


def bench_download(
    *, series: int = 6, rounds: int = 5, workers: int = 4, progress: Progress = SILENT
) -> dict[str, Any]:
    """Return MB/s and processor milliseconds per MB of both ways, and ``verified_to_unverified_ratio``.

    All are medians over ``rounds``; the ratio is that of the speeds within one round. What else runs on the
    machine counts: server and client together keep two cores busy. Processor time is the client's alone.

    Needs three times ``series`` x 50 MB in the folder that one is in. Nothing there is left behind.
    """
    # Not in the system's temporary folder: ext4 is slow to make files where many were deleted just now.
    with tempfile.TemporaryDirectory(prefix="bench-download-", dir=Path.cwd()) as temporary:
        folder = Path(temporary)
        _write_series(folder / "content", series)
        with _server(folder / "content") as url, contextlib.closing(NbiaArchive(url, connections=workers)) as archive:
            rows = archive.list_series()
            megabytes = int(rows["size_bytes"].sum()) / 1e6
            bare, verified = [], []
            with (
                contextlib.closing(HttpClient(url, connections=workers)) as client,
                progress.task("Downloading", total=rounds, unit="rounds") as task,
            ):
                for number in range(rounds):
                    bare.append(_cost(folder / f"bare-{number}", partial(_get, client, rows, workers=workers)))
                    verified.append(_cost(folder / f"store-{number}", partial(_fetch, archive, rows, workers=workers)))
                    task.advance(1)
    found: dict[str, Any] = {
        "series": series,
        "files_per_series": FILES_PER_SERIES,
        "megabytes": round(megabytes, 1),
        "rounds": rounds,
        "workers": workers,
        "cores": os.cpu_count(),
    }
    for name, costs in (("unverified", bare), ("verified", verified)):
        found[f"{name}_mb_per_second"] = round(megabytes / statistics.median(cost.seconds for cost in costs), 1)
        processor = statistics.median(cost.processor_seconds for cost in costs)
        found[f"{name}_processor_ms_per_mb"] = round(1000 * processor / megabytes, 2)
    ratios = [one.seconds / other.seconds for one, other in zip(bare, verified, strict=True)]
    return {**found, "verified_to_unverified_ratio": round(statistics.median(ratios), 3)}


def _write_series(folder: Path, series: int) -> None:
    """Write ``series`` folders of DICOM whose pixels do not compress."""
    rng = np.random.default_rng(0)
    for number in range(1, series + 1):
        place = folder / "bench" / str(number)
        place.mkdir(parents=True)
        for instance in range(1, FILES_PER_SERIES + 1):
            dataset = Dataset()
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.SOPClassUID = CTImageStorage
            dataset.SOPInstanceUID = f"{_ROOT}.{number}.{instance}"
            dataset.Modality = "CT"
            dataset.PatientID = f"bench-{number}"
            dataset.StudyInstanceUID = f"{_ROOT}.{number}.0"
            dataset.SeriesInstanceUID = f"{_ROOT}.{number}"
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
            dataset.Rows = dataset.Columns = _SIDE
            dataset.BitsAllocated = dataset.BitsStored = 16
            dataset.HighBit, dataset.PixelRepresentation = 15, 0
            dataset.PixelData = rng.bytes(2 * _SIDE * _SIDE)
            dataset.save_as(place / f"{instance:03d}.dcm", enforce_file_format=True)


def _serve_on_one_core(folder: Path) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    serve(folder, 0)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Serve ``folder`` from another process, and give its URL once it answers."""
    process = multiprocessing.get_context("spawn").Process(target=_serve_on_one_core, args=(folder,), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + 60
        while not (folder / "server.json").is_file():
            if not process.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the embedded archive did not start for the measurement; see the log above")
            time.sleep(0.05)
        yield str(json.loads((folder / "server.json").read_text())["url"])
    finally:
        process.terminate()
        process.join(10)


class _Cost(NamedTuple):
    seconds: float
    processor_seconds: float


def _cost(folder: Path, work: Callable[[Path], object]) -> _Cost:
    """Return what ``work`` cost, which fills ``folder``. Its files are emptied, and deleted only with the rest."""
    folder.mkdir()
    started, processor = time.perf_counter(), time.process_time()
    work(folder)
    cost = _Cost(time.perf_counter() - started, time.process_time() - processor)
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    return cost


def _get(client: HttpClient, rows: pl.DataFrame, folder: Path, *, workers: int) -> None:
    """Save each zip as it comes, and look at nothing."""

    def get(uid: str) -> None:
        with (
            client.stream("getImageWithMD5Hash", {"SeriesInstanceUID": uid}) as response,
            (folder / uid).open("wb") as file,
        ):
            for piece in response.iter_bytes():
                file.write(piece)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(get, rows["series_uid"]))


def _fetch(archive: NbiaArchive, rows: pl.DataFrame, folder: Path, *, workers: int) -> None:
    """Fetch, unpack, verify and publish each series."""
    fetch_dataset(archive, rows, folder, run_id="bench", max_missing_share=0, workers=workers)
