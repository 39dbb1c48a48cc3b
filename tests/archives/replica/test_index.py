"""What a folder holds."""

import json
import shutil
from pathlib import Path

import pydicom
import pytest

from modality_assets.archives.replica import index as index_module
from modality_assets.archives.replica.index import Index


def test_headers_are_read_once_and_kept_for_the_next_start(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Index(archive).series()
    assert (archive / ".headers.json").is_file()
    monkeypatch.setattr(index_module, "_header", lambda path: pytest.fail(f"read {path} again"))
    assert Index(archive).series() == first


def test_a_changed_file_is_read_again(archive: Path, one_patient_each: dict[str, Path]) -> None:
    before = Index(archive).series()
    target = archive / "files" / "phantom-hand-cr" / "001" / "01-CR" / "1-01.dcm"
    target.unlink()
    shutil.copy(one_patient_each["phantom-knee"] / "03-DX" / "3-01.dcm", target)
    after = Index(archive).series()
    assert after.keys() != before.keys()
    assert {record.row["BodyPartExamined"] for record in after.values()} == {"BRAIN", "HAND", "KNEE"}


def test_a_cache_that_is_none_does_no_harm(archive: Path) -> None:
    before = Index(archive).series()
    (archive / ".headers.json").write_text(json.dumps([1, 2]))
    assert Index(archive).series() == before


def test_files_that_are_no_images_are_left_out(tmp_path: Path, one_patient_each: dict[str, Path]) -> None:
    folder = tmp_path / "scans"
    shutil.copytree(one_patient_each["phantom-hand-cr"], folder / "hands")
    (folder / "hands" / "notes").write_text("not an image")
    (folder / "hands" / ".hidden").write_bytes(b"")
    records = Index(folder).series()
    assert sorted(record.row["ImageCount"] for record in records.values()) == [1, 1]


@pytest.mark.parametrize("length", [141, 153])
def test_a_damaged_file_is_named_and_stops_nothing(
    archive: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {one.path for record in Index(archive).series().values() for one in record.instances}
    damaged = archive / "files" / min(whole)
    damaged.write_bytes(damaged.read_bytes()[:length])
    served = {one.path for record in Index(archive).series().values() for one in record.instances}
    assert served == whole - {min(whole)}
    assert f"{damaged} is damaged (" in caplog.text


def test_a_file_that_cannot_be_read_is_named_and_read_again_later(
    archive: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Index(archive).series()
    (archive / ".headers.json").unlink()
    refused = min(record.instances[0].path for record in whole.values())
    read = pydicom.dcmread

    def refuse(path, **options):
        if str(path).endswith(refused):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, **options)

    monkeypatch.setattr(pydicom, "dcmread", refuse)
    served = {one.path for record in Index(archive).series().values() for one in record.instances}
    assert served == {one.path for record in whole.values() for one in record.instances} - {refused}
    assert f"{refused} cannot be read (Permission denied)" in caplog.text
    monkeypatch.undo()
    assert Index(archive).series() == whole


def test_loose_files_belong_to_a_collection_named_after_the_folder(
    tmp_path: Path, one_patient_each: dict[str, Path]
) -> None:
    folder = tmp_path / "loose"
    shutil.copytree(one_patient_each["phantom-hand-cr"] / "01-CR", folder)
    assert [record.row["Collection"] for record in Index(folder).series().values()] == ["loose"]


def test_an_empty_folder_has_no_series(tmp_path: Path) -> None:
    assert Index(tmp_path).series() == {}
