"""The fast way and pydicom's way give the same frames and facts, and the fast way is taken where it should be."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from modality_assets.imaging.errors import ImagingError
from modality_assets.imaging.readers.dicom_general import read_general
from modality_assets.imaging.readers.dicom_plain import NotPlain, read_plain

Write = Callable[..., Path]
Ramp = Callable[..., np.ndarray]
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def both_ways_agree(path: Path) -> bool:
    """Return False where the file is not plain; raise where the two ways differ."""
    data = path.read_bytes()
    try:
        plain = read_plain(path.name, data)
    except (NotPlain, ImagingError):
        return False
    general = read_general(path, data)
    assert plain.facts == general.facts
    for one, other in zip(plain, general, strict=True):
        np.testing.assert_array_equal(one.stored, other.stored)
        facts, others = asdict(one), asdict(other)
        del facts["stored"], others["stored"]
        assert facts == others
    return True


@pytest.mark.filterwarnings("ignore")
def test_both_ways_agree_on_the_files_of_pydicom() -> None:
    plain = [path.name for path in sorted(TEST_FILES.glob("*.dcm")) if both_ways_agree(path)]
    assert {"CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "examples_overlay.dcm"} <= set(plain)


@pytest.mark.real_archive
@pytest.mark.filterwarnings("ignore")
def test_both_ways_agree_on_real_files_and_nearly_all_are_plain(real_archive: Path) -> None:
    by_folder = {path.parent: path for path in sorted(real_archive.rglob("*.dcm"))}
    plain = [both_ways_agree(path) for path in by_folder.values()]
    assert sum(plain) >= 0.9 * len(plain)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian], ids=lambda one: one.name)
def test_nested_sequences_of_either_length_are_stepped_over(write_dicom: Write, ramp: Ramp, syntax: uid.UID) -> None:
    inner = Dataset()
    inner.Rows = 7  # must not be taken for the image's
    inner.PixelData = b"\0" * 8
    inner["PixelData"].VR = "OW"
    for undefined in (False, True):
        nested = Dataset()
        nested.IconImageSequence = Sequence([inner])
        for dataset in (inner, nested):
            dataset.is_undefined_length_sequence_item = undefined
        nested["IconImageSequence"].is_undefined_length = undefined
        path = write_dicom(ramp(), syntax=syntax, ReferencedImageSequence=Sequence([nested, nested]))
        assert both_ways_agree(path)
        assert read_plain("image", path.read_bytes()).facts.series_uid


@pytest.mark.parametrize(
    "attributes",
    [
        {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12},
        {"RescaleSlope": "0.5", "RescaleIntercept": "-1024 ", "RescaleType": "HU"},
        {"WindowCenter": [40, 80], "WindowWidth": [400, 100]},
        {"PixelPaddingValue": 60000, "PixelPaddingRangeLimit": 65000},
        {"Modality": "PT", "Units": "BQML"},
        {"BitsStored": 10, "HighBit": 13},
        {"ImagerPixelSpacing": [0.1, 0.2]},
    ],
    ids=str,
)
def test_both_ways_agree_on_each_attribute(write_dicom: Write, ramp: Ramp, attributes: dict) -> None:
    assert both_ways_agree(write_dicom(ramp(), **attributes))


def test_several_frames_of_odd_bytes_are_plain(write_dicom: Write, ramp: Ramp) -> None:
    stack = np.stack([ramp(5, 5, high=200, dtype=np.uint8)] * 3)
    assert both_ways_agree(write_dicom(stack))


@pytest.mark.parametrize(
    "name", ["MR_small_bigendian.dcm", "MR_small_RLE.dcm", "SC_rgb_small_odd.dcm", "image_dfl.dcm", "MR_truncated.dcm"]
)
def test_what_is_not_plain_goes_the_other_way(name: str) -> None:
    with pytest.raises(NotPlain):
        read_plain(name, (TEST_FILES / name).read_bytes())


def test_per_frame_facts_go_the_other_way(
    write_dicom: Write, ramp: Ramp, functional_group: Callable[..., Dataset]
) -> None:
    path = write_dicom(ramp(), PerFrameFunctionalGroupsSequence=Sequence([functional_group(1, 2, 3)]))
    with pytest.raises(NotPlain):
        read_plain("image", path.read_bytes())
