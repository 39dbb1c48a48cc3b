"""Small synthetic files of every kind, made where the tests run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def _ramp(rows: int = 40, columns: int = 50, *, low: int = 0, high: int = 4000, dtype: Any = np.uint16) -> np.ndarray:
    """Return an image whose values run from ``low`` to ``high``, each corner different."""
    return np.linspace(low, high, rows * columns).round().astype(dtype).reshape(rows, columns)


def _make_dicom(array: np.ndarray, syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """Return a CT dataset of ``array``, (rows, columns) or (frames, rows, columns); attributes override."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=["image"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    dataset.Modality = "CT"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = array.shape[-2:]
    if array.ndim == 3:
        dataset.NumberOfFrames = array.shape[0]
    dataset.BitsAllocated = dataset.BitsStored = array.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.PixelSpacing = [0.5, 0.75]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if keyword == "BitsStored" and "HighBit" not in attributes:
            dataset.HighBit = value - 1
    dataset.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    dataset["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    if syntax != ExplicitVRLittleEndian:
        if pydicom.uid.UID(syntax).is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
            if syntax == pydicom.uid.ExplicitVRBigEndian and array.dtype.itemsize > 1:
                dataset.PixelData = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return dataset


def _functional_group(slope: float, intercept: float, center: float) -> Dataset:
    """Return the functional group of one frame: rescale, spacing and window."""
    rescale, measures, window, group = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, intercept, "HU"
    measures.PixelSpacing = [2, 3]
    window.WindowCenter, window.WindowWidth = center, 400
    group.PixelValueTransformationSequence = Sequence([rescale])
    group.PixelMeasuresSequence = Sequence([measures])
    group.FrameVOILUTSequence = Sequence([window])
    return group


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes an array as a DICOM file and returns its path."""

    def write(array: np.ndarray, name: str = "image.dcm", **arguments: Any) -> Path:
        path = tmp_path / name
        dataset = _make_dicom(array, **arguments)
        syntax = dataset.file_meta.TransferSyntaxUID
        encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        pydicom.dcmwrite(path, dataset, enforce_file_format=True, **encoding)
        return path

    return write


@pytest.fixture(name="ramp")
def ramp_fixture() -> Callable[..., np.ndarray]:
    return _ramp


@pytest.fixture(name="make_dicom")
def make_dicom_fixture() -> Callable[..., Dataset]:
    return _make_dicom


@pytest.fixture(name="functional_group")
def functional_group_fixture() -> Callable[..., Dataset]:
    return _functional_group
