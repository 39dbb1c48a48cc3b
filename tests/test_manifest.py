import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.manifest import (
    MANIFEST,
    Manifest,
    copy_result,
    damaged_files,
    describe,
    digest,
    mark_damaged,
    publish_files,
    publish_folder,
    read_manifest,
    sound_manifest,
    staging,
    write_json,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def _stage(folder: Path, content: str, input_hash: str = "in", timed: tuple[str, ...] = ()) -> Manifest:
    (folder / "table.txt").write_text(content)
    return describe(
        folder,
        asset="cohort",
        partition=None,
        input_hash=input_hash,
        code_version="1",
        run_id="run",
        seconds=1.0,
        timed=timed,
    )


def _publish(final: Path, content: str, input_hash: str = "in") -> Manifest:
    with staging(final) as staged:
        manifest = _stage(staged, content, input_hash)
        publish_folder(staged, final, manifest)
    return manifest


@given(st.dictionaries(st.text(), _JSON))
def test_a_digest_does_not_depend_on_the_order_of_keys(value):
    assert digest(value) == digest(dict(reversed(list(value.items()))))


@given(_JSON, _JSON)
def test_different_values_have_different_digests(one, other):
    # JSON has one kind of key and of sequence, so values are compared as Python compares what it reads back.
    assert (digest(one) == digest(other)) == (repr(one) == repr(other)) or one == other


def test_a_published_folder_is_complete_and_says_what_it_holds(tmp_path):
    manifest = _publish(tmp_path / "cohort", "a table")
    assert read_manifest(tmp_path / "cohort") == manifest
    assert manifest.files["table.txt"]["bytes"] == len("a table")
    assert damaged_files(tmp_path / "cohort") == []


def test_publishing_again_replaces_the_whole_folder_and_leaves_nothing_beside_it(tmp_path):
    _publish(tmp_path / "cohort", "old")
    (tmp_path / "cohort" / "stray.txt").write_text("stray")
    _publish(tmp_path / "cohort", "new")
    assert (tmp_path / "cohort" / "table.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]
    assert not (tmp_path / "cohort" / "stray.txt").exists()


@pytest.mark.parametrize("damage", ["missing manifest", "broken manifest", "missing file", "shorter file"])
def test_a_result_that_is_not_whole_has_no_manifest_to_be_trusted(tmp_path, damage):
    folder = tmp_path / "cohort"
    _publish(folder, "a table")
    match damage:
        case "missing manifest":
            (folder / "manifest.json").unlink()
        case "broken manifest":
            (folder / "manifest.json").write_text('{"asset": ')
        case "missing file":
            (folder / "table.txt").unlink()
        case "shorter file":
            (folder / "table.txt").write_text("a tab")
    assert read_manifest(folder) is None


def test_a_flipped_byte_is_found_by_hashing(tmp_path):
    _publish(tmp_path / "cohort", "a table")
    (tmp_path / "cohort" / "table.txt").write_text("b table")
    assert damaged_files(tmp_path / "cohort") == ["table.txt"]


def test_a_failure_while_building_leaves_the_old_result_and_no_staging_folder(tmp_path):
    manifest = _publish(tmp_path / "cohort", "old")
    with pytest.raises(RuntimeError, match="half-way"):
        _fail_half_way(tmp_path / "cohort")
    assert read_manifest(tmp_path / "cohort") == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_what_a_killed_process_left_behind_is_removed_when_the_work_is_done_again(tmp_path):
    program = (
        "import os, pathlib, sys; from modality_assets.manifest import staging\n"
        "with staging(pathlib.Path(sys.argv[1])) as staged:\n"
        "    (staged / 'table.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "cohort")], check=False)
    assert killed.returncode == -9
    assert [path.name.startswith(".staging-cohort.") for path in tmp_path.iterdir()] == [True]
    _publish(tmp_path / "cohort", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_the_staging_folder_of_a_living_process_is_left_alone(tmp_path):
    with staging(tmp_path / "cohort") as one, staging(tmp_path / "cohort") as other:
        assert one.is_dir()
        assert other.is_dir()
        assert one != other


def test_files_published_into_a_shared_folder_leave_the_other_results_in_it(tmp_path):
    shared = tmp_path / "reports"
    (shared / "resnet18").mkdir(parents=True)
    with staging(shared) as staged:
        publish_files(staged, shared, _stage(staged, "a table"))
    assert (shared / "resnet18").is_dir()
    assert read_manifest(shared) is not None


def test_a_file_that_the_new_result_has_not_goes_with_the_old_one(tmp_path):
    shared = tmp_path / "model"
    with staging(shared) as staged:
        (staged / "intensities").write_text("of the former training")
        publish_files(staged, shared, _stage(staged, "a table"))
    (shared / "checkpoint").write_text("of nobody")
    with staging(shared) as staged:
        publish_files(staged, shared, _stage(staged, "another table"))
    assert sorted(path.name for path in shared.iterdir()) == ["checkpoint", "manifest.json", "table.txt"]


def test_replacing_a_file_of_a_shared_folder_without_its_manifest_makes_the_result_untrusted(tmp_path):
    shared = tmp_path / "reports"
    with staging(shared) as staged:
        publish_files(staged, shared, _stage(staged, "a table"))
    os.replace(_written(tmp_path / "other", "another table"), shared / "table.txt")
    assert read_manifest(shared) is None


def test_files_with_durations_stay_out_of_the_content_hash(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = _stage(tmp_path / "one", "1.0 seconds", timed=("table.txt",))
    two = _stage(tmp_path / "two", "2.0 seconds", timed=("table.txt",))
    assert one.content_hash == two.content_hash
    assert one.files != two.files
    assert _stage(tmp_path / "two", "2.0 seconds").content_hash != replace(two).content_hash


def test_json_is_replaced_whole_and_leaves_no_temporary_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {(1, 2): "no such key in JSON"})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def _fail_half_way(final: Path) -> None:
    with staging(final) as staged:
        (staged / "table.txt").write_text("half")
        raise RuntimeError("half-way")


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_copy_of_a_result_is_read_once_and_then_trusted(tmp_path):
    manifest = _publish(tmp_path / "cohort", "a table")
    table = tmp_path / "cohort" / "table.txt"
    later = time.time_ns() + 10**9
    os.utime(table, ns=(later, later))
    os.utime(tmp_path / "cohort" / MANIFEST, ns=(later - 10**8, later - 10**8))
    assert sound_manifest(tmp_path / "cohort") == manifest
    os.utime(tmp_path / "cohort" / MANIFEST, ns=(later, later))
    table.write_text("b table")
    os.utime(table, ns=(later - 1, later - 1))
    assert sound_manifest(tmp_path / "cohort") == manifest, "older than its manifest: not read"
    mark_damaged(table)
    os.utime(tmp_path / "cohort" / MANIFEST, ns=(1, 1))
    assert sound_manifest(tmp_path / "cohort") is None
    assert read_manifest(tmp_path / "cohort") == manifest


def _publish(folder: Path, content: str) -> Manifest:
    with staging(folder) as staged:
        manifest = _stage(staged, content)
        publish_folder(staged, folder, manifest)
    return manifest


def test_a_copied_result_is_the_same_result_and_costs_no_second_file(tmp_path):
    made, final = tmp_path / "made", tmp_path / "deep" / "final"
    manifest = _publish(made, "one")
    (made / "checkpoint").write_text("no part of the result")
    copy_result(made, final)
    assert read_manifest(final) == manifest
    assert (final / "table.txt").samefile(made / "table.txt")
    assert not (final / "checkpoint").exists()
    assert not list(tmp_path.rglob(".staging-*"))


def test_a_copy_takes_the_place_of_what_was_there_and_leaves_the_source_alone(tmp_path):
    made, final = tmp_path / "made", tmp_path / "final"
    _publish(final, "old")
    (final / "left.txt").write_text("of the old one")
    manifest = _publish(made, "new")
    copy_result(made, final)
    assert read_manifest(final) == read_manifest(made) == manifest
    assert not (final / "left.txt").exists()
    before = (final / MANIFEST).stat().st_ino
    copy_result(made, final)
    assert (final / MANIFEST).stat().st_ino == before


def test_what_is_not_complete_is_not_copied(tmp_path):
    made = tmp_path / "made"
    _publish(made, "one")
    (made / "table.txt").unlink()
    with pytest.raises(FileNotFoundError, match="made"):
        copy_result(made, tmp_path / "final")
    assert not (tmp_path / "final").exists()


def test_killed_while_files_of_a_shared_folder_are_replaced_the_result_counts_as_not_made(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    with staging(shared) as staged:
        publish_files(staged, shared, _stage(staged, "old figures"))
    with staging(shared) as staged:
        manifest = _stage(staged, "new figures")  # as long as the old ones, so that lengths tell nothing
        monkeypatch.setattr("modality_assets.manifest.write_bytes", _killed)
        with pytest.raises(KeyboardInterrupt):
            publish_files(staged, shared, manifest)
    assert read_manifest(shared) is None


def _killed(*_arguments: object) -> None:
    raise KeyboardInterrupt
