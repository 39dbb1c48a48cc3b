"""Each published layout, on a small made-up tree of its shape."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import polars as pl
import pytest
from PIL import Image

from modality_assets.archives.adapters import LAYOUTS
from modality_assets.archives.archive import ArchiveContentError
from modality_assets.archives.folder import FolderArchive
from modality_assets.archives.store import fetch_dataset


def make_tree(root: Path, layout: str, modality: str, paths: list[str], part: str = "") -> FolderArchive:
    for path in paths:
        file = root / "DATA" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        name = file.name
        if name.endswith((".png", ".jpg")):
            Image.fromarray(np.zeros((6, 6), np.uint8)).save(file)
        elif name.endswith(".npy"):
            np.save(file, np.zeros((12, 6, 6), np.uint8))
        elif name.endswith((".nii", ".nii.gz")):
            nibabel.save(nibabel.Nifti1Image(np.zeros((6, 6, 9), np.int16), np.eye(4)), file)
        else:
            file.write_text("a table or so")
    (root / "datasets.csv").write_text(
        f"dataset,modality,body_part,licence,layout\nDATA,{modality},{part},research use,{layout}\n"
    )
    return FolderArchive(root)


def test_chexpert(tmp_path: Path) -> None:
    archive = make_tree(
        tmp_path,
        "chexpert",
        "XR",
        [
            "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg",
            "CheXpert-v1.0-small/train/patient00001/study1/view2_lateral.jpg",
            "CheXpert-v1.0-small/train/patient00001/study2/view1_frontal.jpg",
            "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg",
            "CheXpert-v1.0-small/train.csv",
        ],
    )
    rows = archive.list_series()
    assert (rows.height, rows["patient_id"].n_unique(), rows["study_uid"].n_unique()) == (4, 2, 3)
    assert set(rows["body_part_raw"]) == {"chest"}
    assert set(rows["patient_id"]) == {"DATA/patient00001", "DATA/patient64541"}


def test_rsna_bone_age(tmp_path: Path) -> None:
    archive = make_tree(
        tmp_path,
        "rsna_bone_age",
        "XR",
        [
            "boneage-training-dataset/boneage-training-dataset/1377.png",
            "boneage-training-dataset/1378.png",
            "boneage-test-dataset/4360.png",
            "boneage-validation-dataset-1/1386.png",
            "boneage-training-dataset.csv",
        ],
    )
    rows = archive.list_series()
    assert rows["patient_id"].sort().to_list() == ["DATA/1377", "DATA/1378", "DATA/1386", "DATA/4360"]
    assert set(rows["body_part_raw"]) == {"hand"}


def test_nih_chest_xray14(tmp_path: Path) -> None:
    archive = make_tree(
        tmp_path,
        "nih_chest_xray14",
        "XR",
        [
            "images_001/images/00000001_000.png",
            "images_001/images/00000001_001.png",
            "images/00000002_000.png",
            "Data_Entry_2017.csv",
            "README_CHESTXRAY.pdf",
        ],
    )
    rows = archive.list_series()
    assert (rows.height, rows["patient_id"].n_unique(), rows["study_uid"].n_unique()) == (3, 2, 3)


def test_mrnet(tmp_path: Path) -> None:
    planes = ("axial", "coronal", "sagittal")
    archive = make_tree(
        tmp_path,
        "mrnet",
        "MR",
        [f"MRNet-v1.0/train/{plane}/0000.npy" for plane in planes]
        + ["MRNet-v1.0/valid/axial/1130.npy", "MRNet-v1.0/train-acl.csv"],
    )
    rows = archive.list_series()
    assert (rows.height, rows["patient_id"].n_unique(), rows["study_uid"].n_unique()) == (4, 2, 2)
    assert set(rows["format"]) == {"NPY"}
    assert set(rows["planned_images"]) == {12}


def test_mura(tmp_path: Path) -> None:
    archive = make_tree(
        tmp_path,
        "mura",
        "XR",
        [
            "MURA-v1.1/train/XR_ELBOW/patient00011/study1_negative/image1.png",
            "MURA-v1.1/train/XR_ELBOW/patient00011/study1_negative/image2.png",
            "MURA-v1.1/train/XR_HAND/patient00011/study1_positive/image1.png",
            "MURA-v1.1/valid/XR_WRIST/patient11185/study1_positive/image1.png",
            "MURA-v1.1/train_image_paths.csv",
        ],
    )
    rows = archive.list_series()
    assert (rows.height, rows["patient_id"].n_unique(), rows["study_uid"].n_unique()) == (4, 2, 3)
    assert set(rows["body_part_raw"]) == {"elbow", "hand", "wrist"}


def test_brats20(tmp_path: Path) -> None:
    case = "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001"
    other = "MICCAI_BraTS2020_ValidationData/BraTS20_Validation_002/BraTS20_Validation_002"
    archive = make_tree(
        tmp_path,
        "brats20",
        "MR",
        [f"{case}_{name}.nii" for name in ("flair", "t1", "t1ce", "t2", "seg")]
        + [f"{other}_t1.nii.gz", "MICCAI_BraTS2020_TrainingData/name_mapping.csv"],
    )
    rows = archive.list_series()
    assert (rows.height, rows["patient_id"].n_unique()) == (5, 2), "segmentations are no images"
    assert set(rows["planned_images"]) == {9}
    assert set(rows["patient_id"]) == {"DATA/BraTS20_Training_001", "DATA/BraTS20_Validation_002"}


@pytest.fixture
def oai(tmp_path: Path, make_dicom: Callable[..., bytes]) -> FolderArchive:
    """One packed series of two files and one unpacked series, of two participants."""
    packed = tmp_path / "DATA" / "00m" / "0.E.1" / "9000099" / "20050811" / "00193604.tar.gz"
    packed.parent.mkdir(parents=True)
    with tarfile.open(packed, "w:gz") as tar:
        for number in (1, 2):
            data = make_dicom("1.3.1", number, PatientID="9000099", Modality="CR", BodyPartExamined="KNEE")
            entry = tarfile.TarInfo(f"{number:03d}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    loose = tmp_path / "DATA" / "00m" / "0.C.2" / "9000296" / "20040909" / "00014503"
    loose.mkdir(parents=True)
    (loose / "001").write_bytes(make_dicom("1.3.2", 1, PatientID="9000296", Modality="CR"))
    (tmp_path / "datasets.csv").write_text("dataset,modality,body_part,licence,layout\nDATA,XR,knee,research use,oai\n")
    return FolderArchive(tmp_path)


def test_oai_packed_and_unpacked(oai: FolderArchive, tmp_path: Path) -> None:
    rows = oai.list_series().sort("series_uid")
    assert rows["series_uid"].to_list() == ["1.3.1", "1.3.2"]
    assert rows["patient_id"].to_list() == ["9000099", "9000296"]
    assert rows["instances"].to_list() == [2, 1]
    report = fetch_dataset(oai, rows, tmp_path / "store", run_id="x", max_missing_share=0)
    assert (report.series_fetched, report.failures) == (2, [])
    assert (tmp_path / "store" / "1.3.1" / "002").is_file()


def test_an_oai_archive_that_is_cut_off_is_listed_and_its_fetch_fails_by_name(
    oai: FolderArchive, tmp_path: Path
) -> None:
    packed = next((tmp_path / "DATA").rglob("*.tar.gz"))
    rows = oai.list_series().filter(series_uid="1.3.1")
    packed.write_bytes(packed.read_bytes()[:200])
    assert oai.list_series().height == 2
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(ArchiveContentError, match="cannot be unpacked"):
        oai.fetch_series(rows.row(0, named=True), into, lambda amount: None)


def test_every_published_layout_is_documented_with_its_tree() -> None:
    text = (Path(__file__).parents[3] / "docs" / "adding-a-dataset.md").read_text()
    for layout in LAYOUTS:
        assert f"`{layout}`" in text


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"general"}))
def test_a_tree_of_another_shape_says_which_layout_was_expected(layout: str, tmp_path: Path) -> None:
    archive = make_tree(tmp_path, layout, "XR", ["somewhere/1.png"])
    with pytest.raises(ArchiveContentError, match=f"has no files: .* in the {layout} layout"):
        archive.list_series()


def test_raw_data_goes_with_its_header_file(tmp_path: Path) -> None:
    folder = tmp_path / "DATA" / "MR"
    folder.mkdir(parents=True)
    (folder / "a.mhd").write_text("NDims = 3\nDimSize = 2 2 3\nElementType = MET_UCHAR\nElementDataFile = a.raw\n")
    (folder / "a.raw").write_bytes(bytes(12))
    (folder / "b.raw").write_bytes(bytes(12))
    (tmp_path / "datasets.csv").write_text("dataset,modality,body_part,licence\nDATA,MR,brain,CC0\n")
    archive = FolderArchive(tmp_path)
    rows = archive.list_series().filter(pl.col("planned_images") == 3)
    assert rows.height == 1
    report = fetch_dataset(archive, rows, tmp_path / "store", run_id="x", max_missing_share=0)
    assert report.failures == []
    assert {path.name for path in (tmp_path / "store").rglob("a.*")} == {"a.mhd", "a.raw"}
