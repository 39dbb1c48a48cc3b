"""One way in: what is read by which reader, and that every failure is one named sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from modality_assets.imaging.errors import DamagedImageError, UnknownFormatError, UnreadableImageError
from modality_assets.imaging.readers import FORMATS, read_frames

DATA = Path(pydicom.__file__).parent / "data"
FILES = sorted(path for path in DATA.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_every_file_of_pydicom_gives_frames_or_a_named_error(path: Path) -> None:
    sentence, frames = "", []
    try:
        frames = list(read_frames(path))
    except UnreadableImageError as error:
        sentence = str(error)
    assert bool(frames) != bool(sentence)
    assert not sentence or (sentence.startswith(path.name) and "\n" not in sentence)
    for frame in frames:
        assert frame.stored.ndim == 2
        assert frame.dtype_min <= frame.stored.min() <= frame.stored.max() <= frame.dtype_max


@pytest.mark.filterwarnings("ignore")
def test_most_files_of_pydicom_with_pixels_are_read() -> None:
    unreadable = []
    for path in FILES:
        if path.suffix == ".dcm" and "PixelData" in pydicom.dcmread(path, force=True):
            try:
                list(read_frames(path))
            except UnreadableImageError:
                unreadable.append(path.name)
    assert sorted(unreadable) == [
        "JPEG-lossy.dcm",  # a marker that no decoder takes
        "JPEG2000-embedded-sequence-delimiter.dcm",  # not a code stream
        "MR_truncated.dcm",
        "badVR.dcm",  # NumberOfFrames is '1A'
        "meta_missing_tsyntax.dcm",  # no Rows
        "nested_priv_SQ.dcm",  # no Rows
    ]


@pytest.mark.real_archive
def test_every_real_file_opens_as_the_format_of_its_name(real_archive: Path) -> None:
    formats = {".dcm": "DICOM", ".nii": "NIfTI", ".nrrd": "NRRD", ".png": "PNG", ".jpg": "JPEG"}
    for path in sorted(real_archive.rglob("*")):
        if path.suffix in formats:
            assert read_frames(path).facts.format == formats[path.suffix] in FORMATS


def test_the_bytes_win_over_the_name(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "image.dcm", format="PNG")
    assert read_frames(tmp_path / "image.dcm", declared_format="DICOM").facts.format == "PNG"


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()
    with pytest.raises(UnknownFormatError, match=r"empty\.dcm"):
        read_frames(tmp_path / "empty.dcm")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedImageError, match=r"gone\.png: cannot be opened"):
        read_frames(tmp_path / "gone.png")


def test_fewer_frames_than_promised_is_an_error(tmp_path: Path, make_dicom: Callable) -> None:
    stack = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    dataset = make_dicom(stack, syntax=pydicom.uid.RLELossless)
    dataset.NumberOfFrames = 5
    dataset.save_as(tmp_path / "short.dcm")
    with pytest.raises(DamagedImageError, match=r"short\.dcm"):
        list(read_frames(tmp_path / "short.dcm"))
