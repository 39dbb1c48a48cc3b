import os
import stat
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from modality_assets.prediction.inputs import find_inputs


@pytest.fixture
def find():
    with ExitStack() as stack:
        yield lambda *paths: list(find_inputs(paths, stack))


def test_a_folder_is_all_files_below_it_in_order(tmp_path, find):
    for name in ("b/2.dcm", "b/1.dcm", "a.png", ".hidden", ".git/x", "b/manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [Path(one.shown).relative_to(tmp_path).as_posix() for one in find(tmp_path)] == [
        "a.png",
        "b/1.dcm",
        "b/2.dcm",
    ]


def test_a_zip_is_its_members_and_leaves_nothing_behind(tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        archive.writestr("deep/1.dcm", b"one")
        archive.writestr("LICENSE", b"text")
    with ExitStack() as stack:
        found = list(find_inputs([tmp_path / "scan.zip"], stack))
        assert [one.shown.removeprefix(f"{tmp_path}/") for one in found] == ["scan.zip/LICENSE", "scan.zip/deep/1.dcm"]
        assert found[1].path.read_bytes() == b"one"
    assert not found[1].path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["scan.zip"]


def test_members_of_a_zip_keep_their_folders_and_hidden_ones_are_left_out(tmp_path, find):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("b/IM1", "a/IM1", "a/.DS_Store", "__MACOSX/a/._IM1"):
            archive.writestr(name, name.encode())
    found = find(tmp_path / "all.zip")
    assert [one.shown.removeprefix(f"{tmp_path}/all.zip/") for one in found] == ["a/IM1", "b/IM1"]
    assert [one.path.read_bytes() for one in found] == [b"a/IM1", b"b/IM1"]


def test_a_zip_that_leads_outside_is_refused(tmp_path, find):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../evil", b"x")
    (one,) = find(tmp_path / "evil.zip")
    assert one.path is None
    assert "outside" in one.error


def test_a_zip_with_a_link_is_refused(tmp_path, find):
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        entry = zipfile.ZipInfo("passwd")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    (one,) = find(tmp_path / "link.zip")
    assert one.path is None
    assert "link" in one.error


def test_a_pattern_is_what_matches_it(tmp_path, find):
    for name in ("a.png", "b.png", "c.dcm"):
        (tmp_path / name).write_bytes(b"x")
    assert [Path(one.shown).name for one in find(f"{tmp_path}/*.png")] == ["a.png", "b.png"]


def test_a_pattern_of_folders_is_the_files_below_them(tmp_path, find):
    for name in ("p1/a.png", "p2/deep/b.png", "q/c.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    assert [Path(one.shown).name for one in find(f"{tmp_path}/p*")] == ["a.png", "b.png"]
    assert [Path(one.shown).name for one in find(f"{tmp_path}/**/*.png")] == ["a.png", "b.png", "c.png"]
    assert [Path(one.shown).name for one in find(f"{tmp_path}/**")] == ["a.png", "b.png", "c.png"]


def test_one_path_need_not_be_in_a_list(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    with ExitStack() as stack:
        assert [one.path for one in find_inputs(str(tmp_path / "a.png"), stack)] == [tmp_path / "a.png"]


def test_what_no_file_can_be_called_is_said(tmp_path, find):
    (one,) = find(f"{tmp_path}/{'x' * 300}")
    assert one.path is None
    assert "no file can be called this" in one.error


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path, find):
    (tmp_path / "scan[1].png").write_bytes(b"x")
    (one,) = find(tmp_path / "scan[1].png")
    assert one.path == tmp_path / "scan[1].png"


@pytest.mark.parametrize(("given", "why"), [("gone.dcm", "no such file"), ("*.nothing", "no file matches")])
def test_what_is_not_there_is_said(tmp_path, find, given, why):
    (one,) = find(tmp_path / given)
    assert one.path is None
    assert why in one.error


def test_an_empty_folder_is_said(tmp_path, find):
    (one,) = find(tmp_path)
    assert one.error == "the folder holds no files"


def test_a_pipe_is_not_waited_for(tmp_path, find):
    os.mkfifo(tmp_path / "pipe")
    (one,) = find(tmp_path / "pipe")
    assert one.path is None
    (within,) = find(tmp_path)
    assert within.path is None
