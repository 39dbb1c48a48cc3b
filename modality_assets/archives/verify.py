"""Whether what lies in a staging folder is what was asked for, to the last byte."""

import hashlib
import struct
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modality_assets.archives.archive import Delivery, DeliveryError, FileFacts, Written
from modality_assets.archives.written import PIECE
from modality_assets.manifest import Manifest, digest

_HEAD = 1 << 13
_TAG, _SHORT, _LONG = struct.Struct("<HH"), struct.Struct("<H"), struct.Struct("<I")
_SYNTAX_UID, _SERIES_UID = 0x00020010, 0x0020000E
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT, _EXPLICIT = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"
_LONG_VRS = {b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
"""Value representations whose length has four bytes (PS3.5 table 7.1-1)."""


def verified_manifest(
    staged: Path,
    delivery: Delivery,
    row: dict[str, Any],
    *,
    input_hash: str,
    code_version: str,
    run_id: str,
    started: float,
) -> Manifest:
    """Check a staged series against what the archive promised and the catalogue says; return its manifest.

    Checked: the files are those delivered, as many as ``row['instances']``; sizes and MD5s where promised,
    the sum of sizes where neither is; every DICOM header that can be read names the series asked for, and
    at least one can be read unless the archive's own MD5s vouch for the bytes. Raises `DeliveryError`.
    """
    uid = str(row["series_uid"])
    names = sorted(delivery.files)
    there = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file())
    if there != names:
        odd = sorted(set(there) ^ set(names))
        raise DeliveryError(
            f"series {uid}: {len(there)} files arrived and {len(names)} were announced, e.g. {odd[0]!r}"
        )
    if not names:
        raise DeliveryError(f"series {uid}: no files arrived")
    images = [name for name in names if not _is_companion(name, names)]
    listed = row.get("instances")
    if listed is not None and listed != len(images):
        raise DeliveryError(f"series {uid}: {len(images)} instances arrived where the archive lists {listed}")
    files = {name: _check_file(staged / name, delivery.files[name], delivery.written.get(name), uid) for name in names}
    total, stated = sum(facts["bytes"] for facts in files.values()), row.get("size_bytes")
    vouched = all(facts.md5 or facts.size_bytes is not None for facts in delivery.files.values())
    if not vouched and stated is not None and stated != total:
        raise DeliveryError(f"series {uid}: {total} bytes arrived where the archive lists {stated}")
    if row.get("format") in (None, "DICOM"):
        _check_headers([staged / name for name in images], uid, vouched=all(f.md5 for f in delivery.files.values()))
    return Manifest(
        asset="source_files",
        partition=str(row.get("dataset")),
        input_hash=input_hash,
        content_hash=digest({name: facts["sha256"] for name, facts in files.items()}),
        code_version=code_version,
        run_id=run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 3),
        counts={"files": len(files), "bytes": total},
        files=files,
    )


def _is_companion(name: str, names: list[str]) -> bool:
    path = Path(name)
    if path.suffix.lower() not in (".raw", ".zraw", ".img"):
        return False
    return any(other != name and Path(other).stem == path.stem for other in names)


def _check_file(path: Path, promised: FileFacts, written: Written | None, uid: str) -> dict[str, Any]:
    """Compare a file with what was promised of it, and return its entry of the manifest."""
    found = written or _read_again(path, md5=promised.md5 is not None)
    size = path.stat().st_size
    if size != found.size_bytes or promised.size_bytes not in (None, size):
        due = found.size_bytes if promised.size_bytes is None else promised.size_bytes
        raise DeliveryError(f"series {uid}: {path.name} has {size} bytes and should have {due}")
    if promised.md5 and found.md5 != promised.md5:
        raise DeliveryError(f"series {uid}: {path.name} has MD5 {found.md5} and should have {promised.md5}")
    return {"sha256": found.sha256, "bytes": size}


def _read_again(path: Path, *, md5: bool) -> Written:
    sha256, weak, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    buffer = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(buffer):
            sha256.update(buffer[:read])
            if md5:
                weak.update(buffer[:read])
            size += read
    return Written(size, sha256.hexdigest(), weak.hexdigest() if md5 else None)


def _check_headers(paths: list[Path], uid: str, *, vouched: bool) -> None:
    """Raise unless the headers name the series; a file broken in the archive itself is left to decoding."""
    readable = 0
    for path in paths:
        found = series_uid_of(path)
        if found is not None:
            readable += 1
            if found != uid:
                raise DeliveryError(f"series {uid}: {path.name} belongs to series {found}")
    if not readable and not vouched:
        raise DeliveryError(f"series {uid}: none of its {len(paths)} files has a DICOM header that can be read")


def series_uid_of(path: Path) -> str | None:
    """Return SeriesInstanceUID (0020,000E) of a DICOM file, None where there is none to be read."""
    import pydicom  # a third of a second; most runs never need it

    with path.open("rb") as file:
        start = file.read(_HEAD)
    found = quick_series_uid(start)
    if found is not None:
        return found
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
