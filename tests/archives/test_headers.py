import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from modality_assets.archives.headers import format_of_name, read_header


@pytest.mark.parametrize("name", ["1.dcm", "IM0001", "1.png"])
def test_dicom_is_known_by_its_content_whatever_its_name(
    name: str, make_dicom: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(make_dicom("1.2.3", Manufacturer="ACME", BodyPartExamined="CHEST", NumberOfFrames=7))
    header = read_header(path)
    assert (header.format, header.series_uid, header.manufacturer) == ("DICOM", "1.2.3", "ACME")
    assert (header.frames, header.modality_tag, header.body_part) == (7, "CT", "CHEST")
    assert header.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert header.problem is None


@pytest.mark.parametrize(("shape", "frames"), [((5, 6, 7), 7), ((5, 6), 1), ((5, 6, 7, 3), 21), ((5, 6, 1), 1)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_nifti_has_an_image_for_every_slice_and_time_point(
    shape: tuple[int, ...], frames: int, ending: str, tmp_path: Path
) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / f"a{ending}")
    header = read_header(tmp_path / f"a{ending}")
    assert (header.format, header.frames, header.problem) == ("NIfTI", frames, None)


def test_a_nifti_2_is_counted_too(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(np.zeros((5, 6, 9), np.int16), np.eye(4)), tmp_path / "a.nii")
    assert read_header(tmp_path / "a.nii").frames == 9


@pytest.mark.parametrize(("ending", "kind"), [(".nrrd", "NRRD"), (".mha", "MetaImage")])
def test_volumes_of_simpleitk_are_counted_along_the_last_axis(ending: str, kind: str, tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((9, 6, 5), np.int16))  # z, y, x
    SimpleITK.WriteImage(image, str(tmp_path / f"a{ending}"))
    header = read_header(tmp_path / f"a{ending}")
    assert (header.format, header.frames, header.problem) == (kind, 9, None)


def test_the_colours_of_a_vector_nrrd_are_no_images(tmp_path: Path) -> None:
    text = b"NRRD0005\ntype: uchar\ndimension: 4\nsizes: 3 5 6 9\nkinds: RGB-color domain domain domain\n\n"
    (tmp_path / "a.nrrd").write_bytes(text)
    assert read_header(tmp_path / "a.nrrd").frames == 9


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.tif", "TIFF"), ("a.pgm", "PGM")]
)
def test_a_picture_is_one_image(name: str, kind: str, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
    header = read_header(tmp_path / name)
    assert (header.format, header.frames, header.problem) == (kind, 1, None)


def test_a_tiff_has_an_image_for_every_page(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert read_header(tmp_path / "a.tif").frames == 3


@pytest.mark.parametrize(("shape", "frames"), [((7, 5, 6), 7), ((5, 6), 1)])
def test_an_array_has_its_slices_first(shape: tuple[int, ...], frames: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    assert read_header(tmp_path / "a.npy").frames == frames


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("notes.txt", b"just words", ""),
        ("a.dcm", b"", "DICOM"),
        ("a.dcm", b"\x00" * 4096, "DICOM"),
        ("a.png", b"\x89PNG\r\n\x1a\nbroken", "PNG"),
        ("a.nii", struct.pack("<i", 348) + b"\xff" * 400, "NIfTI"),
        ("a.nii.gz", gzip.compress(b"nothing"), "NIfTI"),
        ("a.nii.gz", b"no gzip", "NIfTI"),
        ("a.nrrd", b"NRRD0005\nno sizes\n\n", "NRRD"),
        ("a.mhd", b"nothing", "MetaImage"),
        ("a.npy", b"\x93NUMPY\x01\x00", "NPY"),
    ],
)
def test_a_file_that_cannot_be_read_gets_a_guess_and_says_why(
    name: str, content: bytes, kind: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    header = read_header(tmp_path / name, guess=kind)
    assert (header.format, header.frames) == (kind, 1)
    assert header.problem


def test_an_array_of_strange_shape_is_a_problem(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2, 2, 2), np.uint8))
    assert "shape" in str(read_header(tmp_path / "a.npy").problem)


def test_a_file_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    assert "No such file" in str(read_header(tmp_path / "gone.dcm").problem)


@pytest.mark.parametrize(("name", "kind"), [("A.NII.GZ", "NIfTI"), ("x.JPG", "JPEG"), ("x.txt", None), ("x", None)])
def test_names_stand_for_formats(name: str, kind: str | None) -> None:
    assert format_of_name(name) == kind


def test_a_header_is_read_without_the_pixels(make_dicom: Callable[..., bytes], tmp_path: Path) -> None:
    data = make_dicom("1.2.3")
    (tmp_path / "1.dcm").write_bytes(data[: data.index(b"\xe0\x7f\x10\x00") + 12])  # the pixel data's own header
    assert read_header(tmp_path / "1.dcm").series_uid == "1.2.3"
    assert io.BytesIO(data).getbuffer().nbytes > 500
