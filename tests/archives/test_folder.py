import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import polars as pl
import pytest
from PIL import Image

from modality_assets.archives import folder_scan
from modality_assets.archives.archive import (
    ArchiveContentError,
    ArchiveUnreachableError,
    EmptyArchiveError,
    SeriesNotFoundError,
)
from modality_assets.archives.folder import FolderArchive
from modality_assets.archives.folder_series import made_up_uid
from modality_assets.archives.store import fetch_dataset, stored_files
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA
from modality_assets.progress import SILENT

HEAD = "dataset,modality,body_part,licence\n"


@pytest.fixture
def archive(tmp_path: Path, make_dicom: Callable[..., bytes]) -> FolderArchive:
    """Two datasets: DICOM of two modalities under one, pictures and a volume under the other."""
    root = tmp_path / "My archive"
    ct, xr = root / "HOSPITAL" / "CT", root / "HOSPITAL" / "XR"
    (ct / "deep" / "er").mkdir(parents=True)
    xr.mkdir()
    for number in range(1, 4):
        (ct / "deep" / "er" / f"{number}.dcm").write_bytes(make_dicom("1.2.1", number))
    (ct / "alone.dcm").write_bytes(make_dicom("1.2.2", 1, NumberOfFrames=5))
    (xr / "one.dcm").write_bytes(make_dicom("1.2.3", 1, Modality="RG", BodyPartExamined="HIP"))
    pictures = root / "PICTURES" / "XR"
    volumes = root / "PICTURES" / "MR"
    pictures.mkdir(parents=True)
    volumes.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(pictures / name)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 11), np.int16), np.eye(4)), volumes / "v.nii")
    (root / "datasets.csv").write_text(
        HEAD + "HOSPITAL,CT,chest|abdomen,CC0\nHOSPITAL,XR,multiple,CC0\n"
        "PICTURES,XR,hand,CC BY 4.0\nPICTURES,MR,brain,CC BY-NC 4.0\n"
    )
    (root / "split.csv").write_text("dataset,split\nHOSPITAL,train\nPICTURES,test\n")
    return FolderArchive(root)


def series_of(archive: FolderArchive, **where: Any) -> dict[str, Any]:
    rows = archive.list_series().filter(**where)
    assert rows.height == 1
    return rows.row(0, named=True)


def test_series_are_told_apart_by_headers_wherever_their_files_lie(archive: FolderArchive) -> None:
    series = archive.list_series()
    assert dict(series.schema) == RAW_SERIES_SCHEMA
    dicom = series.filter(format="DICOM").sort("series_uid")
    assert dicom["series_uid"].to_list() == ["1.2.1", "1.2.2", "1.2.3"]
    assert dicom["instances"].to_list() == [3, 1, 1]
    assert dicom["planned_images"].to_list() == [3, 5, 1]


def test_the_modality_of_the_table_wins_and_the_tag_is_kept(archive: FolderArchive) -> None:
    row = series_of(archive, series_uid="1.2.3")
    assert (row["declared_modality"], row["modality_tag"]) == ("XR", "RG")


def test_where_the_table_names_several_body_parts_the_header_decides(archive: FolderArchive) -> None:
    assert series_of(archive, series_uid="1.2.3")["body_part_raw"] == "HIP"
    assert series_of(archive, series_uid="1.2.1")["body_part_raw"] == "chest|abdomen"
    assert series_of(archive, format="PNG")["body_part_raw"] == "hand"


def test_a_loose_picture_is_a_patient_and_a_volume_a_series_of_its_slices(archive: FolderArchive) -> None:
    rows = archive.list_series().filter(dataset="PICTURES")
    assert rows["patient_id"].n_unique() == rows["series_uid"].n_unique() == rows["study_uid"].n_unique() == 3
    assert series_of(archive, format="NIfTI")["planned_images"] == 11
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in rows["series_uid"])


def test_made_up_identities_are_the_same_in_every_copy_of_the_folder(archive: FolderArchive, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(archive.root, copy)
    columns = ["dataset", "patient_id", "study_uid", "series_uid"]
    assert FolderArchive(copy).list_series().select(columns).equals(archive.list_series().select(columns))
    assert made_up_uid("a", "b") == made_up_uid("a", "b") != made_up_uid("a", "c")


def test_collections_carry_all_their_licences(archive: FolderArchive) -> None:
    collections = archive.list_collections()
    assert dict(collections.schema) == RAW_COLLECTION_SCHEMA
    assert collections["dataset"].to_list() == ["HOSPITAL", "PICTURES"]
    assert collections["licences"].to_list() == ["CC0", "CC BY 4.0; CC BY-NC 4.0"]


def test_the_split_file_is_the_pins(archive: FolderArchive) -> None:
    pins = archive.pins()
    assert pins is not None
    assert pins.rows() == [("HOSPITAL", "train"), ("PICTURES", "test")]
    (archive.root / "split.csv").unlink()
    assert archive.pins() is None


def test_everything_listed_can_be_fetched_and_verified(archive: FolderArchive, tmp_path: Path) -> None:
    for (dataset,), rows in archive.list_series().group_by("dataset"):
        store = tmp_path / "store" / str(dataset)
        report = fetch_dataset(archive, rows, store, run_id="x", max_missing_share=0)
        assert report.failures == []
        for row in rows.iter_rows(named=True):
            assert len(stored_files(store, row["series_uid"])) == row["instances"]


def test_the_version_changes_with_any_file_and_only_then(
    archive: FolderArchive, make_dicom: Callable[..., bytes]
) -> None:
    before = archive.version()
    assert FolderArchive(archive.root).version() == before
    (archive.root / "HOSPITAL" / "CT" / "new.dcm").write_bytes(make_dicom("1.2.9"))
    after = archive.version()
    assert after != before
    (archive.root / "split.csv").write_text("dataset,split\nHOSPITAL,test\n")
    assert archive.version() != after


def test_a_file_that_is_exchanged_makes_its_series_stale(
    archive: FolderArchive, make_dicom: Callable[..., bytes]
) -> None:
    before = series_of(archive, series_uid="1.2.1")["archive_ref"]
    (archive.root / "HOSPITAL" / "CT" / "deep" / "er" / "2.dcm").write_bytes(make_dicom("1.2.1", 9))
    assert series_of(archive, series_uid="1.2.1")["archive_ref"] != before


def test_files_that_are_no_images_are_listed_so_that_decoding_can_refuse_them(archive: FolderArchive) -> None:
    folder = archive.root / "PICTURES" / "XR"
    (folder / "notes.txt").write_text("not an image")
    (folder / "c.png").write_bytes(b"broken")
    (folder / ".hidden").write_text("left out")
    rows = archive.list_series().filter(dataset="PICTURES", declared_modality="XR")
    assert rows.height == 4
    assert set(rows["format"]) <= {"PNG", "JPEG"}


def test_a_dicom_file_without_a_series_is_a_series_by_itself(archive: FolderArchive) -> None:
    (archive.root / "HOSPITAL" / "CT" / "broken.dcm").write_bytes(b"nothing")
    rows = archive.list_series().filter(dataset="HOSPITAL", patient_id=pl.lit(None)).height
    assert rows == 0
    broken = archive.list_series().filter(pl.col("series_uid").str.starts_with("2.25."), dataset="HOSPITAL")
    assert broken["format"].to_list() == ["DICOM"]


def test_many_files_are_scanned_by_processes_with_the_same_result(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = archive.list_series()
    monkeypatch.setattr(folder_scan, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(folder_scan, "_BATCH", 2)
    assert archive.list_series(SILENT).equals(alone)


def test_a_series_that_is_gone_since_it_was_listed_is_named(archive: FolderArchive, tmp_path: Path) -> None:
    row = series_of(archive, series_uid="1.2.2")
    (archive.root / "HOSPITAL" / "CT" / "alone.dcm").unlink()
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(SeriesNotFoundError, match=r"alone\.dcm is gone"):
        archive.fetch_series(row, into, lambda amount: None)


def test_a_series_under_two_modalities_is_refused(archive: FolderArchive, make_dicom: Callable[..., bytes]) -> None:
    (archive.root / "HOSPITAL" / "XR" / "two.dcm").write_bytes(make_dicom("1.2.1", 8))
    with pytest.raises(ArchiveContentError, match=r"series 1\.2\.1 of dataset HOSPITAL lies under two modalities"):
        archive.list_series()


def test_a_row_without_files_is_one_clear_sentence(archive: FolderArchive) -> None:
    shutil.rmtree(archive.root / "PICTURES" / "MR")
    with pytest.raises(
        ArchiveContentError, match=r"line 5 \(PICTURES, MR\) has no files: put them below .*remove the line"
    ):
        archive.list_series()


def test_no_folder_no_table_and_an_empty_table_each_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnreachableError, match="there is no such folder"):
        FolderArchive(tmp_path / "nowhere")
    with pytest.raises(EmptyArchiveError, match=r"there is no datasets\.csv in it; write one"):
        FolderArchive(tmp_path)
    (tmp_path / "datasets.csv").write_text(HEAD)
    with pytest.raises(EmptyArchiveError, match="has no rows; add one"):
        FolderArchive(tmp_path)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("dataset,modality\nA,CT\n", "lacks the column.* body_part, licence"),
        (HEAD + "A b,CT,chest,CC0\n", "line 2: dataset 'A b'"),
        (HEAD + "../A,CT,chest,CC0\n", "line 2: dataset"),
        (HEAD + "A,US,heart,CC0\n", "modality 'US'; write one of CT, MR, PT, XR"),
        (HEAD + "A,CT,chest,CC0\nA,CT,chest,CC0\n", "lines 2 and 3 name the same files"),
        (
            "dataset,modality,body_part,licence,layout\nA,CT,chest,CC0,imagenet\n",
            "layout 'imagenet'; write one of general",
        ),
    ],
)
def test_a_table_that_is_wrong_names_its_line(table: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "datasets.csv").write_text(table)
    with pytest.raises(ArchiveContentError, match=says):
        FolderArchive(tmp_path)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "datasets.csv").write_bytes(b"dataset,modality,body_part,licence\nA\xff\xfe,CT,chest,CC0\n")
    with pytest.raises(ArchiveContentError, match="save it as UTF-8"):
        FolderArchive(tmp_path)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("dataset,split\nHOSPITAL,training\n", "split 'training'; write one of train"),
        ("dataset,split\nELSEWHERE,train\n", "'ELSEWHERE' is not in datasets.csv"),
        ("dataset,split\nHOSPITAL,train\nHOSPITAL,test\n", "already pinned to train"),
        ("dataset\nHOSPITAL\n", "lacks the column"),
    ],
)
def test_pins_that_are_wrong_name_their_line(table: str, says: str, archive: FolderArchive) -> None:
    (archive.root / "split.csv").write_text(table)
    with pytest.raises(ArchiveContentError, match=says):
        archive.pins()


def test_links_to_folders_are_followed_once(
    archive: FolderArchive, tmp_path: Path, make_dicom: Callable[..., bytes]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "far.dcm").write_bytes(make_dicom("1.2.8"))
    (disk / "loop").symlink_to(disk)
    (archive.root / "HOSPITAL" / "CT" / "linked").symlink_to(disk)
    assert series_of(archive, series_uid="1.2.8")["instances"] == 1


def test_a_reference_of_many_files_in_one_folder_is_short(archive: FolderArchive) -> None:
    reference = json.loads(series_of(archive, series_uid="1.2.1")["archive_ref"])
    assert reference["folder"] == "HOSPITAL/CT/deep/er"
    assert reference["files"] is None


@pytest.mark.real_archive
def test_the_real_archive_is_listed_as_its_table_describes_it(real_archive: Path) -> None:
    archive = FolderArchive(real_archive)
    described = pl.read_csv(real_archive / "datasets.csv")
    found = archive.list_series()
    per_row = found.group_by("dataset", "declared_modality").agg(
        pl.col("instances").sum(), pl.col("size_bytes").sum(), pl.col("format").first()
    )
    joined = described.join(per_row, left_on=["dataset", "modality"], right_on=["dataset", "declared_modality"])
    assert joined.height == described.height
    assert (joined["files"] == joined["instances"]).all()
    assert (joined["bytes"] == joined["size_bytes"]).all()
    assert set(zip(joined["formats"].str.to_lowercase(), joined["format"], strict=True)) == {
        ("dicom", "DICOM"),
        ("nii", "NIfTI"),
        ("nrrd", "NRRD"),
        ("png", "PNG"),
        ("jpg", "JPEG"),
    }
    pins = archive.pins()
    assert pins is not None
    assert set(pins["dataset"]) == set(found["dataset"])


@pytest.mark.real_archive
def test_a_real_dataset_is_fetched_whole_and_not_twice(real_archive: Path, tmp_path: Path) -> None:
    archive = FolderArchive(real_archive)
    rows = archive.list_series().filter(dataset="RECEPTOR-ATLAS")
    first = fetch_dataset(archive, rows, tmp_path, run_id="x", max_missing_share=0)
    second = fetch_dataset(archive, rows, tmp_path, run_id="y", max_missing_share=0)
    assert (first.series_fetched, second.series_fetched) == (9, 0)
    assert first.content == second.content
