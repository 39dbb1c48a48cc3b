"""DICOM of every kind, through pydicom.

What pydicom decodes: native, big endian, deflated, RLE, JPEG baseline, extended and lossless, JPEG-LS, JPEG 2000 and
HTJ2K. Facts that enhanced objects give per frame (rescale, window, spacing) are looked up per frame, then among the
shared ones, then at the top (PS3.3 C.7.6.16). RGB, YBR and PALETTE COLOR become luminance. A Modality LUT that is a
table, not a line, is not applied: stored values are taken, as SimpleITK did in the published work.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from modality_assets.imaging.errors import DamagedImageError, NoPixelsError, UnknownFormatError, UnsupportedPixelsError
from modality_assets.imaging.frames import FileFrames, Frame, finite_range, integer_limits, without_holes
from modality_assets.imaging.luminance import luminance
from modality_assets.imaging.readers.dicom_header import DicomHeader

_DECODERS_OF_BASELINE = ("pillow", "pylibjpeg")
_DECODERS = ("pylibjpeg", "pyjpegls", "pydicom", "pillow")
_AS_STORED = {
    "correct_unused_bits": False,
    "apply_j2k_sign_correction": False,
    "apply_jls_sign_correction": False,
}
"""`DicomHeader.stored_values` masks and extends signs; pydicom's corrections disregard HighBit and write to read-only
memory."""

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_general(path: Path, data: bytes) -> FileFrames:
    """Return the frames of a DICOM file's bytes; errors are those of `modality_assets.imaging.errors` and pydicom's."""
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    keyword = next((name for name in _PIXEL_KEYWORDS if name in dataset), None)
    if keyword is None:
        _raise_no_pixels(path, dataset, data[128:132] == b"DICM")
    _complete_meta(dataset)
    header = _header(dataset)
    if keyword != "PixelData":
        header = replace(header, bits_stored=header.bits_allocated, high_bit=header.bits_allocated - 1, signed=True)
    header.check(path.name)
    try:
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    except NotImplementedError:
        syntax = dataset.file_meta.TransferSyntaxUID
        raise UnsupportedPixelsError(f"{path.name}: transfer syntax {syntax.name} ({syntax}) is not read") from None

    def frames() -> Iterator[Frame]:
        limits = finite_range(decoder.as_array(dataset)[0]) if keyword != "PixelData" else None
        for index, (raw, properties) in enumerate(_decoded(decoder, dataset, header.frames)):
            here = _with_frame_facts(header, dataset, index)
            if limits is not None:
                yield here.frame_of_stored(without_holes(raw), index, *limits)
            else:
                photometric = str(properties.get("photometric_interpretation", ""))
                yield _frame(here, dataset, raw, index, name=path.name, photometric=photometric)

    return FileFrames(header.facts(), header.frames, frames)


def _decoded(decoder: Any, dataset: Dataset, count: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Give ``count`` decoded frames by the first of the installed decoders that takes the first frame.

    Lossy JPEG differs by a level or two between decoders, so the order is fixed, whatever is installed besides.
    """
    if decoder.is_native:
        yield from islice(decoder.iter_array(dataset, **_AS_STORED), count)
        return
    order = _DECODERS_OF_BASELINE if JPEGBaseline8Bit == decoder.UID else _DECODERS
    installed = [*(name for name in order if name in decoder.available_plugins), ""]
    for plugin in installed:
        frames = decoder.iter_array(dataset, decoding_plugin=plugin, **_AS_STORED)
        try:
            first = next(frames)
        except MemoryError:
            raise
        except Exception:
            if plugin == installed[-1]:
                raise
            continue
        yield first
        yield from islice(frames, count - 1)
        return


def _frame(header: DicomHeader, dataset: Dataset, raw: np.ndarray, index: int, *, name: str, photometric: str) -> Frame:
    """Return the frame of decoded samples; ``photometric`` is what the decoder made of them."""
    if raw.shape[:2] != (header.rows, header.columns):
        raise DamagedImageError(
            f"{name}: frame {index} is {raw.shape[:2]}, the header says {(header.rows, header.columns)}"
        )
    if raw.ndim == 2 and header.photometric == "PALETTE COLOR":
        colour = apply_color_lut(raw, dataset)
        bits = colour.dtype.itemsize * 8
        return header.frame_of_stored(luminance(colour), index, 0, integer_limits(bits, False)[1])
    if raw.ndim == 2:
        return header.frame(raw, index)
    if raw.shape[2] not in (3, 4):
        raise UnsupportedPixelsError(f"{name}: {raw.shape[2]} samples per pixel are neither grey nor colour")
    values = replace(header, photometric="RGB").stored_values(raw)
    grey = values[..., 0].astype(np.float64) if photometric.startswith("YBR") else luminance(values)
    return header.frame_of_stored(grey, index, *integer_limits(header.bits_stored, header.signed))


def _raise_no_pixels(path: Path, dataset: Dataset, marked: bool) -> NoReturn:
    if not marked and "SOPClassUID" not in dataset and "Rows" not in dataset:
        raise UnknownFormatError(f"{path.name}: it begins like DICOM but no image attribute was found in it")
    uid = dataset.get("SOPClassUID")
    kind = getattr(uid, "name", uid) or "an object without SOP class"
    raise NoPixelsError(f"{path.name}: {kind}, which has no pixel data")


def _complete_meta(dataset: Dataset) -> None:
    """Where the file meta information lacks the transfer syntax, take what the elements themselves showed."""
    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        native = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else native


def _header(dataset: Dataset) -> DicomHeader:
    allocated = int(dataset.get("BitsAllocated") or 0)
    stored = int(dataset.get("BitsStored") or allocated)
    high_bit = dataset.get("HighBit")
    header = DicomHeader(
        rows=int(dataset.get("Rows") or 0),
        columns=int(dataset.get("Columns") or 0),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else int(high_bit),
        signed=dataset.get("PixelRepresentation") == 1,
        frames=int(dataset.get("NumberOfFrames") or 1),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=_text(dataset, "PhotometricInterpretation") or "",
        units=_text(dataset, "Units"),
        modality=_text(dataset, "Modality"),
        padding=_padding(dataset, "PixelPaddingValue"),
        padding_limit=_padding(dataset, "PixelPaddingRangeLimit"),
        instance_uid=_text(dataset, "SOPInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
    )
    return _with_facts(header, dataset, dataset, dataset)


def _with_frame_facts(header: DicomHeader, dataset: Dataset, index: int) -> DicomHeader:
    """Return the header with the facts that functional groups give for one frame, counted from 0."""
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    each = dataset.get("PerFrameFunctionalGroupsSequence")
    own = each[index] if each is not None and index < len(each) else None
    for group in (shared, own):
        if group is not None:
            header = _with_facts(
                header,
                _first(group, "PixelValueTransformationSequence"),
                _first(group, "PixelMeasuresSequence"),
                _first(group, "FrameVOILUTSequence"),
            )
    return header


def _with_facts(
    header: DicomHeader, rescale: Dataset | None, measures: Dataset | None, window: Dataset | None
) -> DicomHeader:
    changes: dict[str, Any] = {}
    if rescale is not None and "RescaleSlope" in rescale:
        changes["slope"] = _number(rescale, "RescaleSlope")
        changes["intercept"] = _number(rescale, "RescaleIntercept")
        changes["rescale_type"] = _text(rescale, "RescaleType")
    elif rescale is not None and "RescaleIntercept" in rescale:
        changes["intercept"] = _number(rescale, "RescaleIntercept")
        changes["rescale_type"] = _text(rescale, "RescaleType")
    if measures is not None:
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            spacing = _finite_numbers(measures, keyword)
            if len(spacing) > 1:
                changes["spacing"] = (spacing[0], spacing[1])
                break
    if window is not None:
        center, width = _finite_numbers(window, "WindowCenter"), _finite_numbers(window, "WindowWidth")
        if center and width:
            changes["window"] = (center[0], width[0])
    return replace(header, **changes) if changes else header


def _first(dataset: Dataset, keyword: str) -> Dataset | None:
    sequence = dataset.get(keyword)
    return sequence[0] if sequence else None


def _single(dataset: Dataset, keyword: str) -> Any:
    value = dataset.get(keyword)
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    try:
        return value[0] if len(value) else None
    except TypeError:
        return value


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = _single(dataset, keyword)
    return None if value is None else str(value).strip(" \x00") or None


def _number(dataset: Dataset, keyword: str) -> float | None:
    value = _single(dataset, keyword)
    if value is None or value == "":
        return None
    if not np.isfinite(float(value)):
        raise DamagedImageError(f"{keyword} is {value}, which is no number to compute with")
    return float(value)


def _finite_numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return the numbers of an attribute that no pixel depends on; none where it is absent or makes no sense."""
    try:
        value = dataset.get(keyword)
        found = np.atleast_1d(np.asarray(value, np.float64)) if value not in (None, "") else np.empty(0)
    except (ValueError, TypeError):
        return []
    return found.tolist() if np.isfinite(found).all() else []


def _padding(dataset: Dataset, keyword: str) -> int | None:
    value = _single(dataset, keyword)
    if isinstance(value, bytes):
        value = int.from_bytes(value[:2], "little") if value else None
    if value is None:
        return None
    signed = dataset.get("PixelRepresentation") == 1
    bits = 16
    value = int(value)
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value
