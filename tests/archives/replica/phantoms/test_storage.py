"""The files: valid, readable in every transfer syntax, and the same wherever they are made."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from modality_assets.archives.replica.phantoms.datasets import DATASETS
from modality_assets.archives.replica.phantoms.generate import dataset_named, revised_folders, write_patient
from modality_assets.archives.replica.phantoms.series import series_of

SYNTAXES = {
    "phantom-head-neck-pet-ct": "Implicit VR Little Endian",
    "phantom-pelvis-fracture": "Explicit VR Big Endian",
    "phantom-glioma-mr": "RLE Lossless",
    "phantom-liver-ct-mr": "JPEG-LS Lossless Image Compression",
    "phantom-lymphoma-pet-ct": "JPEG Lossless, Non-Hierarchical, First-Order Prediction",
    "phantom-spine-ct-mr": "JPEG 2000 Image Compression (Lossless Only)",
    "phantom-kidney-ct": "Explicit VR Little Endian",
}


@pytest.mark.parametrize(("name", "syntax"), SYNTAXES.items())
def test_every_transfer_syntax_gives_back_the_values_drawn(
    one_patient_each: dict[str, Path], name: str, syntax: str
) -> None:
    file = pydicom.dcmread(sorted((one_patient_each[name]).iterdir())[0] / "1-02.dcm")
    assert file.file_meta.TransferSyntaxUID.name.startswith(syntax)
    drawn = next(iter(series_of(dataset_named(name), 0)))
    assert drawn.number == 1
    storage = drawn.scan.storage
    image = drawn.images[1]
    if file.Modality == "CT":
        got = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
        low, high = (limit * storage.slope + storage.intercept for limit in storage.limits)
        assert np.abs(got - np.clip(image, low, high)).max() <= 0.51 * storage.slope
    else:
        assert np.abs(file.pixel_array - np.clip(image * storage.level, *storage.limits)).max() <= 0.51


def test_emission_values_come_back_by_the_slope_of_each_slice(one_patient_each: dict[str, Path]) -> None:
    folder = one_patient_each["phantom-prostate-naf-pet"] / "01-PT"
    slopes = set()
    drawn = next(iter(series_of(dataset_named("phantom-prostate-naf-pet"), 0)))
    for path, image in zip(sorted(folder.iterdir()), drawn.images, strict=True):
        file = pydicom.dcmread(path)
        slopes.add(file.RescaleSlope)
        assert file.Units == "BQML"
        assert np.abs(file.pixel_array * float(file.RescaleSlope) - image).max() <= float(file.RescaleSlope)
    assert len(slopes) == len(drawn.images)


def test_an_inverted_radiograph_is_stored_dark_for_bright(one_patient_each: dict[str, Path]) -> None:
    file = pydicom.dcmread(one_patient_each["phantom-chest-cr"] / "01-CR" / "1-01.dcm")
    assert file.PhotometricInterpretation == "MONOCHROME1"
    drawn = next(iter(series_of(dataset_named("phantom-chest-cr"), 0))).images[0]
    assert np.corrcoef(file.pixel_array.ravel(), drawn.ravel())[0, 1] < -0.999


def test_the_same_patient_is_the_same_to_the_byte(one_patient_each: dict[str, Path], tmp_path: Path) -> None:
    name = "phantom-breast"
    write_patient(name, 0, tmp_path / "again")
    files = {path.relative_to(one_patient_each[name]): path for path in one_patient_each[name].rglob("*.dcm")}
    assert len(files) == 18
    for relative, path in files.items():
        assert (tmp_path / "again" / relative).read_bytes() == path.read_bytes()


def test_patients_differ(tmp_path: Path) -> None:
    one, other = (next(iter(series_of(dataset_named("phantom-hand-cr"), number))).images[0] for number in (0, 1))
    assert np.abs(one - other).mean() > 0.02


def test_multi_frame_files_hold_all_slices(one_patient_each: dict[str, Path]) -> None:
    file = pydicom.dcmread(one_patient_each["phantom-liver-ct-mr"] / "02-MR" / "1-01.dcm")
    assert file.NumberOfFrames == 7
    assert file.pixel_array.shape == (7, 224, 224)


def test_the_odd_ones_are_there(one_patient_each: dict[str, Path]) -> None:
    scout = pydicom.dcmread(one_patient_each["phantom-lung-pet-ct"] / "01-CT" / "1-01.dcm")
    assert (scout.Modality, scout.ImageType[2]) == ("CT", "LOCALIZER")
    capture = pydicom.dcmread(one_patient_each["phantom-glioma-mr"] / "99-capture" / "99-01.dcm")
    assert capture.Modality == "MR"
    assert capture.SOPClassUID.name == "Secondary Capture Image Storage"
    assert "BodyPartExamined" not in pydicom.dcmread(
        one_patient_each["phantom-prostate-mr"] / "01-MR" / "1-01.dcm", stop_before_pixels=True
    )


def test_one_file_is_cut_off_in_its_pixels_and_its_header_is_whole(tmp_path: Path) -> None:
    dataset = dataset_named("phantom-kidney-ct")
    assert dataset.truncated is not None
    patient, image = dataset.truncated
    write_patient(dataset.name, patient, tmp_path / "patient")
    files = sorted((tmp_path / "patient" / "01-CT").iterdir())
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    assert len({header.SeriesInstanceUID for header in headers}) == 1
    with pytest.raises(ValueError, match=r"bytes of pixel data|less than expected|Unexpected"):
        pydicom.dcmread(files[image]).pixel_array  # noqa: B018
    assert pydicom.dcmread(files[image - 1]).pixel_array.shape == (256, 256)


def test_the_revision_has_the_series_uid_and_more_slices(tmp_path: Path) -> None:
    dataset = dataset_named("phantom-glioma-mr")
    uid, before, after = revised_folders(dataset)
    write_patient(dataset.name, 1, tmp_path / "patient")
    first, later = (sorted((tmp_path / "patient" / name).iterdir()) for name in (before, after))
    assert len(later) == len(first) + 2
    for path in (*first, *later):
        assert pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID == uid


@pytest.mark.dciodvfy
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian package dicom3tools)")
@pytest.mark.parametrize("name", [dataset.name for dataset in DATASETS])
def test_dciodvfy_finds_no_error_in_one_file_of_each_series(one_patient_each: dict[str, Path], name: str) -> None:
    for folder in sorted(one_patient_each[name].iterdir()):
        file = sorted(folder.iterdir())[0]
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        errors = [line for line in (said.stderr + said.stdout).splitlines() if line.startswith(("Error", "Abort"))]
        assert errors == [], file
