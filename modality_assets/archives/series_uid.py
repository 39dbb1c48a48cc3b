"""Which series a DICOM file says that it belongs to."""

import struct
import warnings
from pathlib import Path

HEAD_BYTES = 1 << 13
"""Of a file, within which most name their series."""
_TAG, _SHORT, _LONG = struct.Struct("<HH"), struct.Struct("<H"), struct.Struct("<I")
_SYNTAX_UID, _SERIES_UID = 0x00020010, 0x0020000E
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT, _EXPLICIT = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"
_LONG_VRS = {b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
"""Value representations whose length has four bytes (PS3.5 table 7.1-1)."""


def series_uid_of(path: Path) -> str | None:
    """Return SeriesInstanceUID (0020,000E) of a DICOM file, None where there is none to be read."""
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    found = quick_series_uid(start)
    if found is not None:
        return found
    import pydicom  # half a second, and seldom needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            value = header.get("SeriesInstanceUID")
            return str(value) if value else None
    except Exception:  # pydicom raises many kinds; all of them mean: not readable
        return None


def quick_series_uid(start: bytes) -> str | None:
    """Return SeriesInstanceUID from the first bytes of a plain little-endian file; None to look properly.

    Walks the elements at the top level (PS3.5 section 7.1) and past nested sequences, many times as fast as
    a full parser. Gives up, and returns None, at anything unusual: another transfer syntax, a tag out of
    order, the end of ``start``.
    """
    if start[128:132] != b"DICM":
        return None
    at, last, explicit = 132, 0, True
    syntax = b""
    try:
        while True:
            if last >> 16 == 2 and _TAG.unpack_from(start, at)[0] != 2:  # here the file meta information ends
                if syntax not in (_IMPLICIT, _EXPLICIT):
                    return None
                explicit = syntax == _EXPLICIT
            tag, at, length = _element(start, at, explicit)
            if tag <= last or tag > _SERIES_UID:
                return None
            last = tag
            if length == _UNDEFINED:
                at = _after_sequence(start, at, explicit)
                continue
            value = start[at : at + length]
            if len(value) != length:
                return None
            if tag == _SYNTAX_UID:
                syntax = value.rstrip(b"\x00 ")
            elif tag == _SERIES_UID:
                return value.rstrip(b"\x00 ").decode("ascii") or None
            at += length
    except (struct.error, UnicodeDecodeError, RecursionError):
        return None


def _element(start: bytes, at: int, explicit: bool) -> tuple[int, int, int]:
    """Return the tag of the element at ``at``, where its value begins, and the value's length."""
    group, element = _TAG.unpack_from(start, at)
    tag = group << 16 | element
    if not explicit or group == _ITEM >> 16:
        return tag, at + 8, _LONG.unpack_from(start, at + 4)[0]
    if start[at + 4 : at + 6] in _LONG_VRS:
        return tag, at + 12, _LONG.unpack_from(start, at + 8)[0]
    return tag, at + 8, _SHORT.unpack_from(start, at + 6)[0]


def _after_sequence(start: bytes, at: int, explicit: bool) -> int:
    """Return where the sequence, or item, of undefined length whose content begins at ``at`` has ended."""
    while True:
        tag, at, length = _element(start, at, explicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            return at
        at = _after_sequence(start, at, explicit) if length == _UNDEFINED else at + length
