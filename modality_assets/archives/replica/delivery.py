"""Series as zips, streamed: one piece of one file is in memory at a time."""

import hashlib
import stat
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64, MemberFile, Method, stream_zip

from modality_assets.archives.replica.index import Instance, SeriesRecord

_PIECE = 256 * 1024
_MODE = stat.S_IFREG | 0o644
_ZIP64_BYTES = 1 << 31
"""Length from which a zip says where its members are in 8 bytes."""
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
MD5_TABLE = "md5hashes.csv"
LICENCE = "LICENSE"


def series_zip(record: SeriesRecord, files: Path, *, new_names: bool, md5: bool) -> Iterator[bytes]:
    """Yield a zip of the series' files and its licence; ``md5`` adds a table of their MD5s as the last member.

    Files are stored, not compressed, and their sizes and CRCs stand before them, so that every client can
    unpack the zip while it comes; for that, each file is read twice. ``new_names`` names them by acquisition
    and instance number (`1-01.dcm`), else they are counted (`00000001.dcm`).
    """
    yield from stream_zip(_members(record, files, new_names, md5), chunk_size=_PIECE)


def _members(record: SeriesRecord, files: Path, new_names: bool, md5: bool) -> Iterator[MemberFile]:
    instances = record.instances
    total = sum(instance.size_bytes for instance in instances)
    stored = NO_COMPRESSION_32 if total < _ZIP64_BYTES else NO_COMPRESSION_64
    names = _new_names(instances) if new_names else [f"{n:08d}.dcm" for n in range(1, len(instances) + 1)]
    changed = datetime.fromtimestamp(max(_EARLIEST, *(instance.modified_utc for instance in instances)), UTC)
    sums: dict[str, str] = {}
    for name, instance in zip(names, instances, strict=True):
        path = files / instance.path
        size, crc, sums[name] = _read(path, md5)
        yield name, changed, _MODE, stored(size, crc), _pieces(path)
    if "LicenseName" in record.row:
        text = f"{record.row['Collection']}: {record.row['LicenseName']} {record.row.get('LicenseURI', '')}\n"
        yield _text(LICENCE, changed, stored, text)
    if md5:
        lines = "".join(f"{name},{total}\n" for name, total in sums.items())
        yield _text(MD5_TABLE, changed, stored, f"Filename,MD5Hash\n{lines}")


def _new_names(instances: list[Instance]) -> list[str]:
    width = max(2, len(str(len(instances))))
    names, used = [], set()
    for place, instance in enumerate(instances, 1):
        acquisition = instance.header.get("AcquisitionNumber", "1")
        number = instance.header.get("InstanceNumber", "")
        name = (
            f"{acquisition if acquisition.isdigit() else 1}-{int(number) if number.isdigit() else place:0{width}d}.dcm"
        )
        if name in used:
            name = f"{name.removesuffix('.dcm')}-{place}.dcm"
        used.add(name)
        names.append(name)
    return names


def _text(name: str, changed: datetime, stored: Callable[[int, int], Method], text: str) -> MemberFile:
    data = text.encode()
    return name, changed, _MODE, stored(len(data), zlib.crc32(data)), [data]


def _read(path: Path, md5: bool) -> tuple[int, int, str]:
    """Return size, CRC and, if asked for, MD5 of a file."""
    total, size, crc = hashlib.md5(usedforsecurity=False), 0, 0
    for piece in _pieces(path):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if md5:
            total.update(piece)
    return size, crc, total.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece
