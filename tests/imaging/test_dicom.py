"""DICOM of every kind: what the stored values, the native intensities and the facts come out as."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from modality_assets.imaging.errors import (
    AbsurdSizeError,
    DamagedImageError,
    NoPixelsError,
    UnknownFormatError,
    UnsupportedPixelsError,
)
from modality_assets.imaging.frames import Frame
from modality_assets.imaging.readers import read_frames

Write = Callable[..., Path]
Ramp = Callable[..., np.ndarray]
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def only(path: Path) -> Frame:
    (frame,) = read_frames(path)
    return frame


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_every_lossless_syntax_gives_the_same_pixels(
    write_dicom: Write, ramp: Ramp, syntax: uid.UID, dtype: type
) -> None:
    low = -1000 if dtype is np.int16 else 0
    array = ramp(low=low, high=255 if dtype is np.uint8 else 3000, dtype=dtype)
    found = read_frames(write_dicom(array, syntax=syntax, BitsStored=8 if dtype is np.uint8 else 13))
    (frame,) = found
    np.testing.assert_array_equal(frame.stored, array)
    assert found.facts.transfer_syntax_uid == syntax
    assert (frame.dtype_min, frame.dtype_max) == {np.uint8: (0, 255), np.uint16: (0, 8191), np.int16: (-4096, 4095)}[
        dtype
    ]


def test_lossy_and_lossless_jpeg_are_read() -> None:
    for name in ("JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jpeg_dcmtk.dcm"):
        assert only(TEST_FILES / name).stored.std() > 0, name


def test_rescale_slope_and_intercept_make_hounsfield_units(write_dicom: Write, ramp: Ramp) -> None:
    frame = only(write_dicom(ramp(), RescaleSlope=2, RescaleIntercept=-1024))
    np.testing.assert_array_equal(frame.native(), ramp() * 2.0 - 1024)
    assert frame.unit == "HU"


def test_a_ct_without_rescale_has_no_unit(write_dicom: Write, ramp: Ramp) -> None:
    assert only(write_dicom(ramp())).unit is None


def test_a_pet_image_is_in_the_unit_that_it_names(write_dicom: Write, ramp: Ramp) -> None:
    assert only(write_dicom(ramp(), Modality="PT", Units="BQML", RescaleSlope=1.5, RescaleIntercept=0)).unit == "BQML"


@pytest.mark.parametrize(("dtype", "mirror"), [(np.uint16, 4095), (np.int16, -1)])
def test_monochrome1_is_inverted_within_its_stored_type(
    write_dicom: Write, ramp: Ramp, dtype: type, mirror: int
) -> None:
    array = ramp(high=2000, dtype=dtype)
    frame = only(write_dicom(array, BitsStored=12, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(frame.stored.astype(int), mirror - array.astype(int))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_overlays_in_unused_bits_are_masked_off(write_dicom: Write, ramp: Ramp, dtype: type) -> None:
    array = ramp(low=0 if dtype is np.uint16 else -2048, high=2047, dtype=dtype)
    with_overlay = (array.view(np.uint16) & 0x0FFF) | (
        np.arange(array.size, dtype=np.uint16).reshape(array.shape) % 2 << 13
    )
    np.testing.assert_array_equal(only(write_dicom(with_overlay.view(dtype), BitsStored=12)).stored, array)


def test_bits_above_a_low_bit_are_shifted_down(write_dicom: Write, ramp: Ramp) -> None:
    frame = only(write_dicom(ramp(high=4095) << 4, BitsStored=12, HighBit=15))
    np.testing.assert_array_equal(frame.stored, ramp(high=4095))


def test_frames_of_a_multi_frame_file_come_one_by_one(write_dicom: Write, ramp: Ramp) -> None:
    stack = np.stack([ramp(), ramp()[::-1], ramp()[:, ::-1]])
    for syntax in (uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless):
        found = read_frames(write_dicom(stack, syntax=syntax))
        assert len(found) == 3
        np.testing.assert_array_equal(np.stack([frame.stored for frame in found]), stack)


def test_enhanced_objects_give_rescale_spacing_and_window_per_frame(
    write_dicom: Write, ramp: Ramp, functional_group: Callable[..., Dataset]
) -> None:
    groups = Sequence([functional_group(1, -1000, 40), functional_group(3, 5, 300)])
    path = write_dicom(np.stack([ramp(), ramp()]), PerFrameFunctionalGroupsSequence=groups)
    first, second = read_frames(path)
    assert (first.slope, first.intercept, first.window_center, first.unit) == (1, -1000, 40, "HU")
    assert (second.slope, second.intercept, second.window_center) == (3, 5, 300)
    assert (second.spacing_row_mm, second.spacing_column_mm) == (2, 3)


def test_shared_functional_groups_hold_for_every_frame(
    write_dicom: Write, ramp: Ramp, functional_group: Callable[..., Dataset]
) -> None:
    path = write_dicom(np.stack([ramp(), ramp()]), SharedFunctionalGroupsSequence=Sequence([functional_group(2, 7, 1)]))
    assert [(frame.slope, frame.intercept) for frame in read_frames(path)] == [(2, 7), (2, 7)]


def test_colour_becomes_luminance() -> None:
    path = TEST_FILES / "SC_rgb_rle.dcm"
    colour = pydicom.dcmread(path).pixel_array.astype(float)
    np.testing.assert_allclose(only(path).stored, colour @ [0.299, 0.587, 0.114], atol=1e-9)


def test_a_palette_becomes_luminance_of_its_colours() -> None:
    path = TEST_FILES / "examples_palette.dcm"
    dataset = pydicom.dcmread(path)
    colour = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset).astype(float)
    frame = only(path)
    np.testing.assert_allclose(frame.stored, colour @ [0.299, 0.587, 0.114], atol=1e-9)
    assert frame.dtype_max == (255 if colour.max() < 256 else 65535)


def test_float_pixels_have_the_range_of_the_file(
    tmp_path: Path, make_dicom: Callable[..., Dataset], ramp: Ramp
) -> None:
    dataset = make_dicom(ramp())
    values = np.linspace(-3.5, 9.25, 40 * 50, dtype=np.float32)
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = values.tobytes()
    pydicom.dcmwrite(tmp_path / "float.dcm", dataset, enforce_file_format=True)
    frame = only(tmp_path / "float.dcm")
    np.testing.assert_array_equal(frame.stored.ravel(), values)
    assert (frame.dtype_min, frame.dtype_max) == (-3.5, 9.25)


def test_padding_keeps_its_sign_whatever_its_vr_says(write_dicom: Write, ramp: Ramp) -> None:
    assert only(write_dicom(ramp(dtype=np.int16), PixelPaddingValue=-2000)).padding == (-2000, -2000)
    assert only(write_dicom(ramp(), PixelPaddingValue=63536)).padding == (63536, 63536)


def test_a_file_without_preamble_is_read(tmp_path: Path, make_dicom: Callable[..., Dataset], ramp: Ramp) -> None:
    dataset = make_dicom(ramp())
    del dataset.file_meta
    for implicit, name in ((True, "implicit"), (False, "explicit.dcm")):
        pydicom.dcmwrite(tmp_path / name, dataset, implicit_vr=implicit, little_endian=True)
        np.testing.assert_array_equal(only(tmp_path / name).stored, ramp())


def test_spacing_and_window_are_facts_of_the_frame(write_dicom: Write, ramp: Ramp) -> None:
    frame = only(write_dicom(ramp(), WindowCenter=[40, 500], WindowWidth=[400, 2000]))
    assert (frame.spacing_row_mm, frame.spacing_column_mm) == (0.5, 0.75)
    assert (frame.window_center, frame.window_width) == (40, 400)


def test_truncated_pixels_are_named(write_dicom: Write, ramp: Ramp) -> None:
    path = write_dicom(ramp())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedImageError, match=r"image\.dcm"):
        list(read_frames(path))


def test_a_report_has_no_pixels() -> None:
    with pytest.raises(NoPixelsError, match="Basic Text SR"):
        read_frames(TEST_FILES / "reportsi.dcm")


def test_an_absurd_size_is_refused_before_anything_is_allocated(write_dicom: Write, ramp: Ramp) -> None:
    with pytest.raises(AbsurdSizeError, match="65535"):
        read_frames(write_dicom(ramp(), Rows=65535, Columns=65535, NumberOfFrames=2000))


def test_contradictory_bits_are_named(write_dicom: Write, ramp: Ramp) -> None:
    with pytest.raises(DamagedImageError, match="BitsStored 24"):
        read_frames(write_dicom(ramp(), BitsStored=24))


def test_video_is_refused_by_name(write_dicom: Write, ramp: Ramp) -> None:
    path = write_dicom(ramp())
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xb3" * 20])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    with pytest.raises(UnsupportedPixelsError, match="MPEG2"):
        read_frames(path)


def test_text_that_is_named_dcm_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "note.dcm").write_text("not an image at all\n" * 100)
    with pytest.raises(UnknownFormatError, match=r"note\.dcm"):
        read_frames(tmp_path / "note.dcm")


@pytest.mark.parametrize("keyword", ["WindowCenter", "PixelSpacing"])
def test_a_window_or_spacing_that_makes_no_sense_costs_no_image(write_dicom: Write, ramp: Ramp, keyword: str) -> None:
    path = write_dicom(ramp(), WindowCenter="40.5", WindowWidth=400, PixelSpacing=["1.25", "2.5"])
    wrong = {"WindowCenter": (b"40.5", b"40,5"), "PixelSpacing": (b"1.25\\", b"none\\")}[keyword]
    path.write_bytes(path.read_bytes().replace(*wrong))
    frame = only(path)
    np.testing.assert_array_equal(frame.stored, ramp())
    known = (frame.window_center, frame.spacing_row_mm)
    assert known == ((None, 1.25) if keyword == "WindowCenter" else (40.5, None))
