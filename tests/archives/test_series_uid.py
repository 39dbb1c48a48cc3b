import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from modality_assets.archives.series_uid import quick_series_uid, series_uid_of

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def test_the_quick_way_finds_the_series_of_a_plain_file(make_dicom: Callable[..., bytes]) -> None:
    assert quick_series_uid(make_dicom("1.2.3.4")) == "1.2.3.4"


def test_the_quick_way_reads_implicit_files(make_dicom: Callable[..., bytes], tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_dicom("1.2.3.4")))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.save_as(tmp_path / "1.dcm", implicit_vr=True, little_endian=True, enforce_file_format=True)
    assert quick_series_uid((tmp_path / "1.dcm").read_bytes()) == "1.2.3.4"


def test_big_endian_is_left_to_the_parser() -> None:
    path = SAMPLES / "MR_small_bigendian.dcm"
    assert quick_series_uid(path.read_bytes()) is None
    assert series_uid_of(path) == str(pydicom.dcmread(path).SeriesInstanceUID)


@pytest.mark.parametrize("undefined", [True, False])
def test_a_reference_to_another_series_is_not_taken_for_the_file_s_own(
    undefined: bool, make_dicom: Callable[..., bytes]
) -> None:
    inner, outer = pydicom.Dataset(), pydicom.Dataset()
    inner.SeriesInstanceUID = "6.6.6"
    outer.ReferencedSeriesSequence = [inner]
    outer.SeriesInstanceUID = "7.7.7"
    dataset = pydicom.dcmread(io.BytesIO(make_dicom("1.2.3.4", ReferencedStudySequence=[outer, outer])))
    for sequence in (dataset["ReferencedStudySequence"], outer["ReferencedSeriesSequence"]):
        sequence.is_undefined_length = undefined
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert b"6.6.6" in buffer.getvalue()
    assert quick_series_uid(buffer.getvalue()) == "1.2.3.4"


@pytest.mark.parametrize("keep", [0, 131, 132, 140, 200, 300])
def test_a_header_cut_off_is_nothing_found(keep: int, make_dicom: Callable[..., bytes]) -> None:
    data = make_dicom("1.2.3.4")
    assert quick_series_uid(data[: min(keep, data.index(b"1.2.3.4"))]) is None


def test_both_ways_agree_on_every_sample_of_pydicom() -> None:
    agreed = 0
    for name in sorted(SAMPLES.rglob("*.dcm")):
        quick = quick_series_uid(name.read_bytes()[:8192])
        if quick is not None:
            assert quick == str(pydicom.dcmread(name, stop_before_pixels=True).SeriesInstanceUID).strip()
            agreed += 1
    assert agreed > 10
