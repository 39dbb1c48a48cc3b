"""From images in physical units to DICOM files: stored values, transfer syntaxes, one file an image."""

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import format_number_as_ds

from modality_assets.archives.replica.phantoms.acquisition import (
    EmissionScan,
    PhantomDataset,
    ResonanceScan,
    Storage,
    TomographyScan,
)
from modality_assets.archives.replica.phantoms.frames import frames_header
from modality_assets.archives.replica.phantoms.identity import uid_of
from modality_assets.archives.replica.phantoms.jpeg_lossless import encode_jpeg_lossless
from modality_assets.archives.replica.phantoms.modules import place_image, series_header
from modality_assets.archives.replica.phantoms.series import Series

_SYNTAX: dict[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "rle": RLELossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_lossless": JPEGLosslessSV1,
    "jpeg_2000": JPEG2000Lossless,
}
IMPLEMENTATION_UID = UID(uid_of("modality-assets", "phantoms"))


def write_series(dataset: PhantomDataset, patient: int, series: Series, folder: Path) -> int:
    """Write the files of a series into ``folder`` and return how many images (frames) they hold."""
    storage = series.scan.storage
    folder.mkdir(parents=True)
    header = series_header(dataset, patient, series, storage.multi_frame and isinstance(series.scan, ResonanceScan))
    step = float(np.linalg.norm(series.planes[1].origin - series.planes[0].origin)) if len(series.planes) > 1 else 0.0
    names = [uid_of(header.SeriesInstanceUID, number) for number in range(len(series.images))]
    if "LegacyConverted" in UID(header.SOPClassUID).keyword:
        pixels = np.stack([_stored(image, series, storage)[0] for image in series.images])
        frames_header(header, series.planes, names, step)
        _write(header, pixels, storage, uid_of(header.SeriesInstanceUID, "frames"), folder / "1-01.dcm")
        return len(pixels)
    for number, (image, plane, uid) in enumerate(zip(series.images, series.planes, names, strict=True), 1):
        each = copy.copy(header)
        pixels, slope = _stored(image, series, storage)
        each.InstanceNumber = number
        if "FrameOfReferenceUID" in each:
            place_image(each, plane, step or 5.0)
        if isinstance(series.scan, TomographyScan):
            each.RescaleSlope, each.RescaleIntercept, each.RescaleType = (
                format_number_as_ds(float(storage.slope)),
                format_number_as_ds(float(storage.intercept)),
                "HU",
            )
            if series.scan.device.outside_hu is not None and not series.scout:
                each.PixelPaddingValue = round((series.scan.device.outside_hu - storage.intercept) / storage.slope)
        elif isinstance(series.scan, EmissionScan):
            each.RescaleSlope, each.RescaleIntercept, each.ImageIndex = format_number_as_ds(slope), "0", number
        _write(each, pixels, storage, uid, folder / f"{series.number}-{number:02d}.dcm")
    return len(series.images)


def write_capture(dataset: PhantomDataset, patient: int, series: Series, folder: Path) -> int:
    """Write a picture of the screen that shows a series, with its modality: a secondary capture, 8 bits."""
    folder.mkdir(parents=True)
    header = series_header(dataset, patient, series, False)
    shown = series.images[len(series.images) // 2]
    screen = np.zeros((300, 400), np.uint8)
    picture = np.clip((shown - shown.min()) / np.ptp(shown) * 225 + 12, 0, 255).astype(np.uint8)[:256, :256]
    screen[22 : 22 + picture.shape[0], 72 : 72 + picture.shape[1]] = picture
    screen[6:10, 8:120] = screen[284:288, 8:200] = 210  # the bars of a user interface
    capture = Dataset()
    for name in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientAge",
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyDescription",
        "Manufacturer",
        "Modality",
        "SeriesDate",
        "SeriesTime",
        "BodyPartExamined",
    ):
        if name in header:
            capture[name] = header[name]
    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SeriesInstanceUID = uid_of(header.SeriesInstanceUID, "capture")
    capture.SeriesNumber, capture.SeriesDescription, capture.InstanceNumber = 99, "Screen", 1
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.ConversionType = "WSD"
    capture.PatientOrientation = ""
    capture.BurnedInAnnotation = "YES"
    _write(capture, screen, Storage(8), uid_of(capture.SeriesInstanceUID, 1), folder / "99-01.dcm")
    return 1


def truncate(file: Path, share: float = 0.55) -> None:
    """Cut a file in the midst of its pixels, as a broken transfer does; its header stays readable."""
    with file.open("r+b") as stream:
        stream.truncate(int(file.stat().st_size * share))


def _stored(image: NDArray[np.float32], series: Series, storage: Storage) -> tuple[NDArray[Any], float]:
    """Return stored values and the slope that leads back to physical units."""
    low, high = storage.limits
    slope = storage.slope
    if isinstance(series.scan, TomographyScan):
        values = (image - storage.intercept) / slope
    elif isinstance(series.scan, EmissionScan):
        slope = max(float(image.max()), 1e-3) / high
        values = image / slope
    else:
        values = image * storage.level
        if storage.inverted:
            values = storage.level - values
    kind = {(8, False): np.uint8, (16, False): np.uint16, (16, True): np.int16}[storage.allocated, storage.signed]
    return np.clip(np.rint(values), low, high).astype(kind), slope


def _write(header: Dataset, pixels: NDArray[Any], storage: Storage, uid: str, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = UID(uid)
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MODALITY_PHANTOM"
    syntax = _SYNTAX[storage.syntax]
    meta.TransferSyntaxUID = syntax if storage.syntax in ("implicit", "big_endian") else ExplicitVRLittleEndian
    file = FileDataset(io.BytesIO(), header, file_meta=meta, preamble=b"\0" * 128)
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME1" if storage.inverted else "MONOCHROME2"
    file.Rows, file.Columns = pixels.shape[-2:]
    file.BitsAllocated, file.BitsStored, file.HighBit = storage.allocated, storage.bits, storage.bits - 1
    file.PixelRepresentation = int(storage.signed)
    raw = pixels.astype(">i2" if storage.signed else ">u2") if storage.syntax == "big_endian" else pixels
    file.add_new("PixelData", "OB" if storage.allocated == 8 else "OW", raw.tobytes() + b"\0" * (raw.nbytes % 2))
    if storage.syntax == "jpeg_lossless":
        file.PixelData = encapsulate([encode_jpeg_lossless(pixels)])
        file["PixelData"].VR = "OB"
        file["PixelData"].is_undefined_length = True
        meta.TransferSyntaxUID = syntax
    elif storage.syntax in ("rle", "jpeg_ls", "jpeg_2000"):
        file.compress(syntax, generate_instance_uid=False)
    file.set_original_encoding(storage.syntax == "implicit", storage.syntax != "big_endian")
    file.save_as(path, enforce_file_format=True)
