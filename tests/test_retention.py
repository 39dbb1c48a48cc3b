import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modality_assets.layout import DataLayout
from modality_assets.results import Result, make
from modality_assets.retention import removable, remove

OLD = time.time() - 40 * 86_400


@pytest.fixture
def layout(tmp_path):
    return DataLayout(tmp_path)


def _age(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (OLD, OLD))


def _write(path: Path, content: bytes = b"0123456789") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _model(layout: DataLayout, inputs: int) -> Result:
    result = Result("trained_model", "a|r", layout.model("a", "r"), {"of": inputs}, "1", shared=True)
    make(result, lambda staged: {"bytes": (staged / "weights.safetensors").write_bytes(b"w")}, run_id="test")
    return result


def _what(layout: DataLayout, days: float = 30) -> dict[str, str]:
    return {one.path.relative_to(layout.root).as_posix(): one.what for one in removable(layout, days)}


def _pid_that_is_gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_staging_folders_go_when_their_process_is_gone(layout):
    gone, alive = _pid_that_is_gone(), os.getpid()
    for pid in (gone, alive):
        _write(layout.root / f"shards/image_range/.staging-train.{pid}-abcd" / "index.json")
        _write(layout.root / f"source_files/A/.staging-1.2.{pid}-abcd" / "1.dcm")
    assert set(_what(layout)) == {
        f"shards/image_range/.staging-train.{gone}-abcd",
        f"source_files/A/.staging-1.2.{gone}-abcd",
    }


def test_checkpoints_go_when_the_model_is_finished_and_they_are_old(layout):
    unfinished = _write(layout.model("b", "r") / "checkpoint" / "state.safetensors")
    _model(layout, 1)
    checkpoint = _write(layout.model("a", "r") / "checkpoint" / "state.safetensors").parent
    assert _what(layout) == {}
    _age(layout.root)
    assert _what(layout) == {"models/a/r/checkpoint": "checkpoints of finished models"}
    for one in removable(layout, 30):
        assert one.size_bytes == 10
        remove(one)
    assert not checkpoint.exists()
    assert unfinished.exists()
    assert (layout.model("a", "r") / "weights.safetensors").exists()


def test_of_replaced_models_the_promoted_one_and_the_last_one_stay(layout):
    promoted = _model(layout, 1)
    kept = layout.version("a", "r", promoted.input_hash)
    older, old, last = (layout.version("a", "r", digit * 12) for digit in "abc")
    for folder in (kept, older, old, last):
        _write(folder / "model" / "weights.safetensors")
    _age(layout.root)
    os.utime(last / "model" / "weights.safetensors", (OLD + 60, OLD + 60))
    assert set(_what(layout)) == {older.relative_to(layout.root).as_posix(), old.relative_to(layout.root).as_posix()}


def test_series_go_when_their_dataset_lists_them_no_more_and_never_a_dataset(layout):
    listed = _write(layout.source_series("A", "1.1") / "1.dcm")
    result = Result("source_files", "A", layout.source_files("A"), {}, "1", shared=True)
    make(result, lambda staged: {"bytes": _write(staged / "1.1" / "1.dcm").stat().st_size}, run_id="test")
    _write(layout.source_series("A", "1.2") / "1.dcm")
    _write(layout.source_series("retired", "1.3") / "1.dcm")
    assert _what(layout) == {}
    _age(layout.root)
    assert _what(layout) == {"source_files/A/1.2": "series that no dataset lists any more"}
    assert listed.exists()


def test_a_hard_linked_file_frees_nothing(layout):
    _model(layout, 1)
    checkpoint = _write(layout.model("a", "r") / "checkpoint" / "state.safetensors")
    os.link(checkpoint, layout.root / "another-name")
    _age(layout.root)
    assert [one.size_bytes for one in removable(layout, 30)] == [0]
