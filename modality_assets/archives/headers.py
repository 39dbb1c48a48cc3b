"""What a file says of itself before a single pixel is decoded: format, identity, and how many images it holds."""

import gzip
import math
import os
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TAGS = [
    "SOPClassUID", "Modality", "ImageType", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "BodyPartExamined",
    "Manufacturer", "ManufacturerModelName", "SeriesDescription", "NumberOfFrames", "PhotometricInterpretation",
]  # fmt: skip
_EXTENSIONS = {
    ".dcm": "DICOM", ".dicom": "DICOM", ".ima": "DICOM",
    ".nii": "NIfTI", ".nii.gz": "NIfTI", ".hdr": "NIfTI",
    ".nrrd": "NRRD", ".nhdr": "NRRD",
    ".mha": "MetaImage", ".mhd": "MetaImage",
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF",
    ".pgm": "PGM", ".npy": "NPY",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The facts of one file; None where the file does not say.

    ``frames`` is the number of 2-D images it will give: NumberOfFrames (PS3.3 C.7.6.6), the slices of a
    volume along its last spatial axis times its time points, the pages of a TIFF. ``problem`` says why the
    header could not be read; ``format`` is then a guess, and ``frames`` 1.
    """

    format: str
    frames: int = 1
    problem: str | None = None
    patient_id: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    modality_tag: str | None = None
    sop_class_uid: str | None = None
    transfer_syntax_uid: str | None = None
    photometric: str | None = None
    image_type: str | None = None
    body_part: str | None = None
    manufacturer: str | None = None
    manufacturer_model: str | None = None
    series_description: str | None = None


def format_of_name(name: str) -> str | None:
    """Return the format that a file's extension stands for, None for an unknown one."""
    lower = name.lower()
    if lower.endswith(".nii.gz"):
        return "NIfTI"
    return _EXTENSIONS.get(os.path.splitext(lower)[1])


def read_header(path: str | Path, guess: str = "DICOM") -> Header:
    """Return the header facts of a file, by its content first and its name second. Never raises for content.

    ``guess`` is the format given to a file that neither content nor name identifies.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(352)
    except OSError as error:
        return Header(format_of_name(str(path)) or guess, problem=f"cannot be opened: {error.strerror}")
    kind = _format_of_bytes(start) or format_of_name(str(path)) or guess
    try:
        return _READERS[kind](Path(path))
    except Exception as error:  # every library raises its own; whatever it is, decoding will quarantine the file
        return Header(kind, problem=f"{type(error).__name__}: {error}"[:300])


def _format_of_bytes(start: bytes) -> str | None:
    if start[128:132] == b"DICM":
        return "DICOM"
    if start[344:347] in (b"n+1", b"ni1"):
        return "NIfTI"
    for magic, kind in (
        (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"NRRD", "NRRD"), (b"\x93NUMPY", "NPY"),
        (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"P5", "PGM"),
    ):  # fmt: skip
        if start.startswith(magic):
            return kind
    return None


def _dicom(path: Path) -> Header:
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values in the wild are decided on later, by policy
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        if "SOPClassUID" not in dataset and "SeriesInstanceUID" not in dataset:
            return Header("DICOM", problem="holds neither SOPClassUID nor SeriesInstanceUID: it is no DICOM image")

        def text(name: str) -> str | None:
            value = dataset.get(name)
            if value is None:
                return None
            parts = [str(part) for part in value] if _is_many(value) else [str(value)]
            return "\\".join(parts).replace("\x00", "").strip() or None

        syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
        return Header(
            "DICOM",
            frames=max(1, _whole(dataset.get("NumberOfFrames"))),
            patient_id=text("PatientID"),
            study_uid=text("StudyInstanceUID"),
            series_uid=text("SeriesInstanceUID"),
            modality_tag=text("Modality"),
            sop_class_uid=text("SOPClassUID"),
            transfer_syntax_uid=str(syntax) if syntax else None,
            photometric=text("PhotometricInterpretation"),
            image_type=text("ImageType"),
            body_part=text("BodyPartExamined"),
            manufacturer=text("Manufacturer"),
            manufacturer_model=text("ManufacturerModelName"),
            series_description=text("SeriesDescription"),
        )


def _is_many(value: Any) -> bool:
    return not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 1


def _nifti(path: Path) -> Header:
    opener: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        header = file.read(60)
    for order in "<>":
        size = struct.unpack_from(order + "i", header, 0)[0]
        if size == 348:  # NIfTI-1: dim is short[8] at byte 40
            return Header("NIfTI", frames=_slices(struct.unpack_from(order + "8h", header, 40)))
        if size == 540:  # NIfTI-2: dim is int64[8] at byte 16
            with opener(path, "rb") as file:
                return Header("NIfTI", frames=_slices(struct.unpack_from(order + "8q", file.read(80), 16)))
    raise ValueError("the first four bytes are neither 348 nor 540: no NIfTI header")


def _slices(dim: tuple[int, ...]) -> int:
    """Images of a volume of dimensions ``dim`` = (number, x, y, z, t, ...)."""
    number = dim[0]
    if not 1 <= number <= 7:
        raise ValueError(f"a volume of {number} dimensions")
    return math.prod(max(1, size) for size in dim[3 : number + 1])


def _nrrd(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(65536).split(b"\n\n")[0].split(b"\r\n\r\n")[0].decode("latin-1")
    sizes = re.search(r"^sizes:\s*([\d ]+)", head, re.MULTILINE)
    if sizes is None:
        raise ValueError("no 'sizes' field: no NRRD header")
    axes = [int(size) for size in sizes[1].split()]
    kinds = re.search(r"^kinds:\s*(.+)$", head, re.MULTILINE)
    spatial = axes
    if kinds and len(kinds[1].split()) == len(axes):
        named = [kind in ("domain", "space", "none", "???", "time") for kind in kinds[1].split()]
        spatial = [size for size, keep in zip(axes, named, strict=True) if keep]
    return Header("NRRD", frames=math.prod(spatial[2:]))


def _metaimage(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(16384).split(b"ElementDataFile")[0].decode("latin-1")
    sizes = re.search(r"^DimSize\s*=\s*([\d ]+)", head, re.MULTILINE)
    if sizes is None:
        raise ValueError("no 'DimSize' field: no MetaImage header")
    return Header("MetaImage", frames=math.prod(int(size) for size in sizes[1].split()[2:]))


def _picture(path: Path) -> Header:
    from PIL import Image

    with Image.open(path) as image:
        kind = {"PPM": "PGM"}.get(image.format or "", image.format or "")
        if kind not in ("PNG", "JPEG", "TIFF", "PGM"):
            raise ValueError(f"a picture of format {image.format}, which is not read")
        return Header(kind, frames=int(getattr(image, "n_frames", 1)) if kind == "TIFF" else 1)


def _npy(path: Path) -> Header:
    from numpy.lib import format as npy

    with path.open("rb") as file:
        version = npy.read_magic(file)
        shape = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)[0]
    if len(shape) not in (2, 3):
        raise ValueError(f"an array of shape {shape}: only (rows, columns) and (slices, rows, columns) are images")
    return Header("NPY", frames=int(shape[0]) if len(shape) == 3 else 1)  # slices come first, as in MRNet


_READERS: dict[str, Callable[[Path], Header]] = {
    "DICOM": _dicom, "NIfTI": _nifti, "NRRD": _nrrd, "MetaImage": _metaimage,
    "PNG": _picture, "JPEG": _picture, "TIFF": _picture, "PGM": _picture, "NPY": _npy,
}  # fmt: skip
