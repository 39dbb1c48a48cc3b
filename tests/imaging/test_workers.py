"""What a file can do to a decoder costs one worker and one file, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from modality_assets.imaging.batch import FileRecord, FileToDecode
from modality_assets.imaging.errors import WorkerStartError
from modality_assets.imaging.workers import Batch, DecodingPool, shared_pool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def good(write_dicom: Callable[..., Path], ramp: Callable[..., np.ndarray]) -> Path:
    return write_dicom(ramp(), name="good.dcm")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecodingPool]:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    with DecodingPool(2, memory_limit=256 << 20, time_limit=1.5, modules=["faulty_decoder"]) as started:
        yield started


def faulty(folder: Path, fault: str) -> Path:
    path = folder / f"{fault}.bad"
    path.write_text(f"FAULTY {fault}")
    return path


def decode(pool: DecodingPool, paths: list[Path], folder: Path, per_batch: int = 4) -> list[FileRecord]:
    """Decode ``paths`` at 8 x 8 pixels; check that part files hold what records say; return records in order."""
    files = [FileToDecode(number, str(path), None) for number, path in enumerate(paths)]
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    batches = [Batch(files[at : at + per_batch], parts / f"{at}") for at in range(0, len(files), per_batch)]
    records: dict[int, FileRecord] = {}
    for piece in pool.decode(batches, size=8, aspect="stretch"):
        images = sum(len(record.frames) for record in piece.records)
        if piece.part:
            assert piece.part.stat().st_size >= images * 128
            pixels = np.fromfile(piece.part, "<u2", images * 64).reshape(images, 64)
            assert all(image.max() > image.min() for image in pixels)
            piece.part.unlink()
        for record in piece.records:
            assert record.number not in records
            records[record.number] = record
    return [records[number] for number in range(len(paths))]


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("abort", "DecoderCrashError", "SIGABRT"),
        ("segfault", "DecoderCrashError", "SIGSEGV"),
        ("exit", "DecoderCrashError", "exit status 3"),
        ("killed", "DecoderCrashError", "SIGKILL"),
        ("hang", "DecoderTimeoutError", "no frame was finished within 1.5 s"),
        ("spin", "DecoderTimeoutError", "no frame was finished within 1.5 s"),
        ("memory", "DecoderMemoryError", "more memory"),
        ("flood", "DecoderCrashError", "SIGABRT"),
    ],
)
def test_a_file_that_ends_its_worker_is_refused_and_all_others_are_decoded(
    pool: DecodingPool, good: Path, tmp_path: Path, fault: str, error: str, words: str
) -> None:
    paths = [good] * 5 + [faulty(tmp_path, fault)] + [good] * 6
    records = decode(pool, paths, tmp_path)
    assert [bool(record.frames) for record in records] == [True] * 5 + [False] + [True] * 6
    assert records[5].error is not None
    assert list(records[5].error[:2]) == ["decode", error]
    assert words in records[5].error[2]
    assert records[5].error[2].startswith(f"{fault}.bad: ")
    assert pool.lost == {"memory": 0, "killed": 2}.get(fault, 1)  # one that others may have killed is tried again


def test_many_bad_files_in_a_row_are_each_refused(pool: DecodingPool, good: Path, tmp_path: Path) -> None:
    bad = faulty(tmp_path, "abort")
    records = decode(pool, [bad, bad, good, bad, bad, bad, good], tmp_path, per_batch=7)
    assert [bool(record.frames) for record in records] == [False, False, True, False, False, False, True]
    assert pool.lost == 5


def test_a_worker_that_someone_else_killed_is_no_fault_of_the_file(pool: DecodingPool, tmp_path: Path) -> None:
    (record,) = decode(pool, [faulty(tmp_path, "killed-once")], tmp_path)
    assert record.error is not None
    assert "came back" in record.error[2]


def test_what_native_code_prints_does_not_disturb(pool: DecodingPool, good: Path, tmp_path: Path) -> None:
    first, second = decode(pool, [faulty(tmp_path, "print"), good], tmp_path)
    assert first.error is not None
    assert second.frames
    assert pool.lost == 0


def test_many_slow_files_are_not_taken_for_one_that_hangs(pool: DecodingPool, tmp_path: Path) -> None:
    records = decode(pool, [faulty(tmp_path, "slow")] * 10, tmp_path, per_batch=10)
    assert all(record.error and "slow but alive" in record.error[2] for record in records)
    assert pool.lost == 0


def test_a_file_that_waits_for_its_turn_on_a_crowded_machine_is_no_hang(pool: DecodingPool, tmp_path: Path) -> None:
    (record,) = decode(pool, [faulty(tmp_path, "crowded")], tmp_path)
    assert record.error is not None
    assert "had to wait for its turn" in record.error[2]
    assert pool.lost == 0


def test_workers_are_kept_for_the_next_work(pool: DecodingPool, good: Path, tmp_path: Path) -> None:
    decode(pool, [good] * 8, tmp_path)
    started = time.monotonic()
    before = pool.worker_pids()
    decode(pool, [good] * 8, tmp_path)
    assert pool.worker_pids() == before
    assert time.monotonic() - started < 5


def test_a_caller_that_stops_half_way_leaves_a_pool_that_works(pool: DecodingPool, good: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    batches = [Batch([FileToDecode(0, str(good), None)], tmp_path / "parts" / f"early{at}") for at in range(9)]
    pieces = pool.decode(batches, size=8, aspect="stretch")
    next(pieces)
    pieces.close()
    assert all(record.frames for record in decode(pool, [good] * 3, tmp_path))


def test_a_worker_that_cannot_start_is_an_error_with_its_reason(good: Path, tmp_path: Path) -> None:
    with DecodingPool(1, modules=["no_such_module"]) as pool, pytest.raises(WorkerStartError, match="no_such_module"):
        decode(pool, [good], tmp_path)


def test_a_worker_imports_neither_tables_nor_torch_nor_other_formats(good: Path, tmp_path: Path) -> None:
    program = (
        "import sys; import modality_assets.imaging.worker; from modality_assets.imaging.readers import read_frames\n"
        f"list(read_frames({str(good)!r}))\n"
        "print(sorted({'polars', 'torch', 'pydicom', 'nibabel', 'SimpleITK', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_that_hangs_does_not_outlive_its_parent(tmp_path: Path) -> None:
    path = faulty(tmp_path, "hang")
    (tmp_path / "parts").mkdir()
    program = (
        "from pathlib import Path\n"
        "from modality_assets.imaging.batch import FileToDecode\n"
        "from modality_assets.imaging.workers import Batch, DecodingPool\n"
        "pool = DecodingPool(1, time_limit=600, modules=['faulty_decoder'])\n"
        f"batch = Batch([FileToDecode(0, {str(path)!r}, None)], Path({str(tmp_path)!r}) / 'parts' / '0')\n"
        "start = pool.start_worker\n"
        "def noted():\n"
        "    worker = start(); print(worker.process.pid, flush=True); return worker\n"
        "pool.start_worker = noted\n"
        "list(pool.decode([batch], size=8, aspect='stretch'))\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    with parent, parent.stdout:
        worker = int(parent.stdout.readline())
        until = time.monotonic() + 30
        while not (tmp_path / "parts" / "0").exists() and time.monotonic() < until:
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(worker)


def test_one_process_shares_one_pool() -> None:
    assert shared_pool(2) is shared_pool(2)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
