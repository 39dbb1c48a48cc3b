"""The archive's own content: complete, whole at every moment, and made once."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modality_assets.archives.replica import content, samples
from modality_assets.archives.replica.content import ensure_content, generator_version, pins
from modality_assets.archives.replica.phantoms.generate import dataset_named
from modality_assets.archives.replica.releases import read_releases

FEW = (dataset_named("phantom-glioma-mr"), dataset_named("phantom-prostate-naf-pet"))


class Counting:
    """A `Progress` that remembers."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator["Counting"]:
        self.total = total
        yield self

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def note(self, text: str) -> None:
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counting]:
    folder, progress = tmp_path_factory.mktemp("content"), Counting()
    ensure_content(folder, progress, datasets=FEW)
    return folder, progress


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".making"
    }


def test_all_datasets_are_there_and_the_releases_are_described(made: tuple[Path, Counting]) -> None:
    folder, progress = made
    assert {path.name for path in (folder / "files").iterdir()} == {d.name for d in FEW} | {samples.DATASET}
    releases = read_releases(folder)
    assert releases is not None
    assert releases.datasets["phantom-glioma-mr"].phantom
    assert not releases.datasets[samples.DATASET].phantom
    assert progress.total is not None
    assert progress.total <= progress.done <= progress.total * 1.1  # the capture and the revision come on top


def test_making_it_again_touches_nothing(made: tuple[Path, Counting]) -> None:
    folder, _ = made
    before, progress = _snapshot(folder), Counting()
    ensure_content(folder, progress, datasets=FEW)
    assert _snapshot(folder) == before
    assert progress.done == 0


def test_only_what_a_killed_run_left_out_is_made(made: tuple[Path, Counting], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    before = _snapshot(folder)
    (folder / "releases.json").unlink()
    (folder / "files" / "phantom-glioma-mr" / "manifest.json").unlink()
    (folder / "files" / ".staging-phantom-glioma-mr.999999999-abcd").mkdir()
    ensure_content(folder, datasets=FEW)
    after = _snapshot(folder)
    assert after.keys() == before.keys()
    changed = {name.split("/")[1] for name in before if after[name] != before[name] and name.startswith("files")}
    assert changed == {"phantom-glioma-mr"}
    assert read_releases(folder) == read_releases(made[0])


def test_a_dataset_that_is_no_longer_made_goes_and_foreign_folders_stay(
    made: tuple[Path, Counting], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    (folder / "files" / "mine").mkdir()
    ensure_content(folder, datasets=FEW[:1])
    assert {path.name for path in (folder / "files").iterdir()} == {FEW[0].name, samples.DATASET, "mine"}


def test_a_change_of_the_generator_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = generator_version("phantom-knee")
    assert before != generator_version("phantom-breast")
    monkeypatch.setattr(Path, "read_text", lambda self, *args: "changed")
    assert generator_version("phantom-knee") != before


def test_the_real_images_are_pinned_to_test() -> None:
    assert pins() == {"pydicom-samples": "test"}
    assert content.pins()[samples.DATASET] == "test"


def test_a_failure_in_a_worker_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    unknown = dataclasses.replace(FEW[1], name="phantom-nowhere")
    with pytest.raises(KeyError, match="phantom-nowhere"):
        ensure_content(tmp_path, datasets=(unknown,))
    assert not list((tmp_path / "files").iterdir())
