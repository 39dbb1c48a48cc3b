"""The store and the processes that use it: one that is killed at any moment, and two at once."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modality_assets.archives.nbia import NbiaArchive
from modality_assets.archives.replica.server import running_server
from modality_assets.archives.store import fetch_dataset
from modality_assets.manifest import MANIFEST, damaged_files, read_manifest

SERIES = 40
FETCH = """
import sys
from pathlib import Path
from modality_assets.archives.nbia import NbiaArchive
from modality_assets.archives.store import fetch_dataset
archive = NbiaArchive(sys.argv[1])
fetch_dataset(archive, archive.list_series(), Path(sys.argv[2]), run_id=sys.argv[3], max_missing_share=0, workers=4)
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, make_dicom: Callable[..., bytes]) -> Iterator[str]:
    """An archive of one collection: 40 series of four files, each a quarter of a MB."""
    root = tmp_path_factory.mktemp("content")
    templates = {number: make_dicom("1.2.1000", number) for number in range(1, 5)}
    filler = random.Random(0).randbytes(1 << 18)
    for series in range(1001, 1001 + SERIES):
        folder = root / "Alpha" / str(series)
        folder.mkdir(parents=True)
        for number, data in templates.items():
            whole = data.replace(b"1.2.1000", f"1.2.{series}".encode())
            (folder / f"{number}.dcm").write_bytes(
                whole + b"\xfc\xff\xfc\xffOB\0\0" + (1 << 18).to_bytes(4, "little") + filler
            )
    with running_server(root) as served:
        yield served


def start(url: str, store: Path, run_id: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", FETCH, url, str(store), run_id])


def published(store: Path) -> dict[str, str]:
    """The series that can be seen, and the run that fetched each; every one of them must be whole."""
    found = {}
    for folder in store.glob("1.2.*"):
        manifest = read_manifest(folder)
        assert manifest is not None, f"{folder.name} can be seen and is not complete"
        assert damaged_files(folder) == []
        assert {path.name for path in folder.iterdir()} == {*manifest.files, MANIFEST}
        found[folder.name] = manifest.run_id
    return found


@pytest.mark.slow
def test_a_fetch_killed_at_any_moment_shows_only_whole_series_and_fetches_none_of_them_again(
    url: str, tmp_path: Path
) -> None:
    chance = random.Random(3)
    before: dict[str, str] = {}
    for number, least in enumerate((1, 12, 25)):
        process = start(url, tmp_path, f"killed-{number}")
        while len(list(tmp_path.glob("1.2.*"))) < least and process.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.wait()
        after = published(tmp_path)
        assert before.items() <= after.items(), "what was there was fetched again"
        before = after
    assert len(before) < SERIES, "every run ended before it could be killed"
    with closing(NbiaArchive(url)) as archive:
        report = fetch_dataset(archive, archive.list_series(), tmp_path, run_id="last", max_missing_share=0)
    assert report.series_fetched == SERIES - len(before)
    assert before.items() <= published(tmp_path).items()
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_two_processes_at_once_fetch_one_dataset_whole(url: str, tmp_path: Path) -> None:
    processes = [start(url, tmp_path, f"process-{number}") for number in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(published(tmp_path)) == SERIES
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
