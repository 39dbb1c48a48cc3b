"""The fast way for the common case: uncompressed little-endian DICOM of one sample per pixel.

98 % of public CT, MR, PT and XR instances are such. Only the top-level elements are walked, only the attributes
that matter are looked at, and the pixels are a view of the bytes that were read. Whatever is not plain and
well-formed raises `NotPlain`, and the caller reads it with pydicom, which also words the errors.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from modality_assets.imaging.frames import FileFrames, Frame
from modality_assets.imaging.readers.dicom_header import DicomHeader


class NotPlain(Exception):  # noqa: N818 - no error: the file goes another way
    """The file is not of the common kind."""


_EXPLICIT, _IMPLICIT = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2"
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset(b"OB OW OF OD OL OV SQ UN UT UC UR SV UV".split())
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_MAX_DEPTH = 16

_explicit_element = struct.Struct("<L2sH").unpack_from
_implicit_element = struct.Struct("<LL").unpack_from
_uint32 = struct.Struct("<L").unpack_from


def _key(group: int, element: int) -> int:
    """Return a tag as the four little-endian bytes in the file read as one number."""
    return element << 16 | group


_ITEM, _ITEM_END, _SEQUENCE_END = _key(0xFFFE, 0xE000), _key(0xFFFE, 0xE00D), _key(0xFFFE, 0xE0DD)
_TRANSFER_SYNTAX = _key(0x0002, 0x0010)
_INSTANCE_UID, _SERIES_UID, _MODALITY = _key(0x0008, 0x0018), _key(0x0020, 0x000E), _key(0x0008, 0x0060)
_IMAGER_SPACING, _NOMINAL_SPACING, _SPACING = _key(0x0018, 0x1164), _key(0x0018, 0x2010), _key(0x0028, 0x0030)
_SAMPLES, _PHOTOMETRIC, _FRAMES = _key(0x0028, 0x0002), _key(0x0028, 0x0004), _key(0x0028, 0x0008)
_ROWS, _COLUMNS = _key(0x0028, 0x0010), _key(0x0028, 0x0011)
_ALLOCATED, _STORED = _key(0x0028, 0x0100), _key(0x0028, 0x0101)
_HIGH_BIT, _SIGNED = _key(0x0028, 0x0102), _key(0x0028, 0x0103)
_PADDING, _PADDING_LIMIT = _key(0x0028, 0x0120), _key(0x0028, 0x0121)
_CENTER, _WIDTH = _key(0x0028, 0x1050), _key(0x0028, 0x1051)
_INTERCEPT, _SLOPE, _RESCALE_TYPE = _key(0x0028, 0x1052), _key(0x0028, 0x1053), _key(0x0028, 0x1054)
_UNITS = _key(0x0054, 0x1001)
_PIXELS = _key(0x7FE0, 0x0010)
_WANTED = frozenset(
    (
        *(_INSTANCE_UID, _SERIES_UID, _MODALITY, _IMAGER_SPACING, _NOMINAL_SPACING, _SPACING, _SAMPLES, _PHOTOMETRIC),
        *(_FRAMES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH_BIT, _SIGNED, _PADDING, _PADDING_LIMIT),
        *(_CENTER, _WIDTH, _INTERCEPT, _SLOPE, _RESCALE_TYPE, _UNITS, _PIXELS),
    )
)
_FOR_PYDICOM = frozenset((_key(0x5200, 0x9229), _key(0x5200, 0x9230), _key(0x7FE0, 0x0008), _key(0x7FE0, 0x0009)))
"""Functional groups (facts per frame) and float pixels."""


def read_plain(name: str, data: bytes) -> FileFrames:
    """Return the frames of a plain DICOM file's bytes; their pixels are views of ``data``, read-only.

    Raises `NotPlain` for anything else, and `AbsurdSizeError` or `DamagedImageError` for impossible sizes.
    """
    try:
        header, start = _read_header(data)
    except (struct.error, ValueError, KeyError, IndexError, OverflowError):
        raise NotPlain from None
    header.check(name)
    itemsize = header.bits_allocated // 8
    pixels = header.rows * header.columns
    dtype = np.dtype(f"<{'i' if header.signed else 'u'}{itemsize}")

    def frames() -> Iterator[Frame]:
        for index in range(header.frames):
            raw = np.frombuffer(data, dtype, pixels, start + index * pixels * itemsize)
            yield header.frame(raw.reshape(header.rows, header.columns), index)

    return FileFrames(header.facts(), header.frames, frames)


def _read_header(data: bytes) -> tuple[DicomHeader, int]:
    syntax, position = _file_meta(data)
    if syntax not in (_EXPLICIT, _IMPLICIT):
        raise NotPlain
    found = _walk(data, position, syntax == _EXPLICIT)
    values = {key: data[start : start + length] for key, (start, length) in found.items() if key != _PIXELS}
    instance_uid = _text(values.pop(_INSTANCE_UID, None))
    # the slices of a series say the same of themselves, but for their name
    header = replace(_header_of(syntax, tuple(values.items())), instance_uid=instance_uid)
    start, length = found[_PIXELS]
    expected = header.frames * header.rows * header.columns * (header.bits_allocated // 8)
    if not expected <= length <= expected + 1:  # one byte makes an odd length even
        raise NotPlain
    return header, start


@lru_cache(maxsize=256)
def _header_of(syntax: bytes, items: tuple[tuple[int, bytes], ...]) -> DicomHeader:
    values = dict(items)

    def text(key: int) -> str | None:
        return _text(values.get(key))

    def numbers(key: int) -> list[float]:
        value = values.get(key)
        return [] if value is None else [float(part) for part in value.strip(b" \x00").split(b"\\")]

    def number(key: int) -> float | None:
        value = text(key)
        return None if value is None else _finite(float(value))

    def integer(key: int) -> int:
        if len(values[key]) != 2:
            raise NotPlain
        return int.from_bytes(values[key], "little")

    signed = integer(_SIGNED) == 1

    def padding(key: int) -> int | None:
        if key not in values:
            return None
        value = integer(key)
        return value - 0x10000 if signed and value >= 0x8000 else value

    spacing = next(
        (found_numbers for key in (_SPACING, _IMAGER_SPACING, _NOMINAL_SPACING) if (found_numbers := numbers(key))),
        None,
    )
    center, width = number(_CENTER), number(_WIDTH)
    header = DicomHeader(
        rows=integer(_ROWS),
        columns=integer(_COLUMNS),
        bits_allocated=integer(_ALLOCATED),
        bits_stored=integer(_STORED),
        high_bit=integer(_HIGH_BIT),
        signed=signed,
        frames=int(text(_FRAMES) or 1),
        samples=integer(_SAMPLES),
        photometric=text(_PHOTOMETRIC) or "",
        slope=number(_SLOPE),
        intercept=number(_INTERCEPT),
        rescale_type=text(_RESCALE_TYPE),
        units=text(_UNITS),
        modality=text(_MODALITY),
        padding=padding(_PADDING),
        padding_limit=padding(_PADDING_LIMIT),
        spacing=(_finite(spacing[0]), _finite(spacing[1])) if spacing else None,
        window=None if center is None or width is None else (center, width),
        series_uid=text(_SERIES_UID),
        transfer_syntax_uid=syntax.decode(),
    )
    if (
        header.samples != 1
        or header.photometric not in ("MONOCHROME1", "MONOCHROME2")
        or header.bits_allocated not in (8, 16)
    ):
        raise NotPlain
    return header


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.split(b"\\", 1)[0].strip(b" \x00").decode("ascii") or None


def _file_meta(data: bytes) -> tuple[bytes, int]:
    """Return the transfer syntax and the position of the first element after the file meta information."""
    if data[128:132] != b"DICM":
        raise NotPlain
    position, syntax = 132, b""
    while True:
        key, vr, length = _explicit_element(data, position)
        if key & 0xFFFF != 0x0002:
            return syntax, position
        position += 8
        if vr in _LONG_VRS:
            (length,) = _uint32(data, position)
            position += 4
        if key == _TRANSFER_SYNTAX:
            syntax = data[position : position + length].rstrip(b" \x00")
        position += length


def _walk(data: bytes, position: int, explicit: bool) -> dict[int, tuple[int, int]]:
    """Return where the values of the wanted top-level elements lie: key to (position, length), up to PixelData."""
    found: dict[int, tuple[int, int]] = {}
    end = len(data)
    while True:
        if explicit:
            key, vr, length = _explicit_element(data, position)
            position += 8
            if vr not in _SHORT_VRS:
                if vr not in _LONG_VRS:
                    raise NotPlain
                (length,) = _uint32(data, position)
                position += 4
        else:
            key, length = _implicit_element(data, position)
            position += 8
        if key in _WANTED:
            found[key] = (position, length)
        elif key in _FOR_PYDICOM:
            raise NotPlain
        if length == _UNDEFINED:
            if key == _PIXELS or (explicit and vr == b"UN"):
                raise NotPlain
            position = _after_sequence(data, position, explicit, 0)
            continue
        position += length
        if position > end:
            raise NotPlain
        if key == _PIXELS:
            return found


def _after_sequence(data: bytes, position: int, explicit: bool, depth: int) -> int:
    """Return the position after a sequence of undefined length whose items begin at ``position``."""
    if depth > _MAX_DEPTH:
        raise NotPlain
    while True:
        key, length = _implicit_element(data, position)
        position += 8
        if key == _SEQUENCE_END:
            return position
        if key != _ITEM:
            raise NotPlain
        position = _after_item(data, position, explicit, depth) if length == _UNDEFINED else position + length


def _after_item(data: bytes, position: int, explicit: bool, depth: int) -> int:
    vr: Any = b""
    while True:
        key, length = _implicit_element(data, position)
        if key == _ITEM_END:
            return position + 8
        if explicit:
            key, vr, length = _explicit_element(data, position)
            if vr not in _SHORT_VRS:
                if vr not in _LONG_VRS:
                    raise NotPlain
                (length,) = _uint32(data, position + 8)
                position += 4
        position += 8
        if length == _UNDEFINED:
            if vr == b"UN":  # its items are implicit little endian whatever the syntax
                raise NotPlain
            position = _after_sequence(data, position, explicit, depth + 1)
        else:
            position += length


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise NotPlain
    return value
