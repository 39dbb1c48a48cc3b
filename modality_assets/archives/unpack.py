"""Zips and tars from outside, unpacked without trusting a word of them."""

import itertools
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from modality_assets.archives.archive import Delivery, DeliveryError, FileFacts, UnsafeZipError, Written
from modality_assets.archives.written import pieces_of, write_hashed
from modality_assets.manifest import MANIFEST


@dataclass(frozen=True)
class Limits:
    """What one series may hold at most. The ratio counts only beyond ``free_bytes``: black images shrink well."""

    members: int = 50_000
    total_bytes: int = 64 << 30
    ratio: float = 200.0
    free_bytes: int = 256 << 20


def safe_names(names: Iterable[str]) -> list[str]:
    """Return one plain file name for each path, in order: no folders, unique, none that the store itself uses."""
    safe: list[str] = []
    used: set[str] = {MANIFEST}
    for path in names:
        name = PurePosixPath(path.replace("\\", "/")).name.replace("\x00", "_")
        if name.startswith(".") or not name:
            name = f"file{name}"
        if name in used:
            name = next(new for number in itertools.count(2) if (new := f"{number}-{name}") not in used)
        used.add(name)
        safe.append(name)
    return safe


def unzip(
    file: IO[bytes],
    into: Path,
    *,
    limits: Limits | None = None,
    md5s: str = "md5hashes.csv",
    skip: tuple[str, ...] = ("LICENSE",),
) -> Delivery:
    """Unpack the zip of one series into ``into``, flat, and return what its own table of MD5s promises.

    ``md5s`` is the member with the table; it and members whose name starts with one of ``skip`` are not
    written. Members that are promised an MD5 are left to it, the CRC of all others is checked here. Raises
    `UnsafeZipError` for a zip no honest archive sends, `DeliveryError` for a damaged one.
    """
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries, file.seek(0, os.SEEK_END), limits)
            promised = {}
            wanted = []
            for entry in entries:
                name = PurePosixPath(entry.filename).name
                if name == md5s:
                    promised = _md5_table(archive, entry)
                elif not name.upper().startswith(skip):
                    wanted.append(entry)
            names = [PurePosixPath(entry.filename).name for entry in wanted]
            absent = sorted(set(promised) - {PurePosixPath(entry.filename).name for entry in entries})
            if absent:
                raise DeliveryError(f"{md5s} lists {len(absent)} file(s) that the zip lacks, the first {absent[0]!r}")
            facts, written = {}, {}
            targets = safe_names(entry.filename for entry in wanted)
            for entry, name, target in zip(wanted, names, targets, strict=True):
                md5 = promised.get(name)
                facts[target] = FileFacts(entry.file_size, md5)
                if md5 and entry.compress_type == zipfile.ZIP_STORED:
                    written[target] = write_hashed(into / target, _stored(file, entry))
                else:
                    with archive.open(entry) as reader:
                        written[target] = write_hashed(into / target, _at_most(reader, entry), md5=md5 is not None)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DeliveryError(f"the zip is damaged or cut off: {error}") from None
    return Delivery(facts, written)


def _stored(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterable[bytes]:
    """Give the bytes of a member that is not compressed, past the checks that an MD5 makes needless."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"member {entry.filename!r} has no header where the directory says")
    file.seek(sum(struct.unpack_from("<HH", header, 26)), os.SEEK_CUR)  # past its name and extra field
    return pieces_of(file, entry.file_size)


def unpack_tar(path: Path, into: Path, on_bytes: Callable[[int], None], limits: Limits | None = None) -> Delivery:
    """Unpack a tar (of any compression) of one series into ``into``, flat. Raises as `unzip` does."""
    limits = limits or Limits()
    facts: dict[str, FileFacts] = {}
    written: dict[str, Written] = {}
    with tarfile.open(path) as tar:
        entries = []
        for entry in tar:
            if entry.isdir():
                continue
            if not entry.isfile() or _leads_outside(entry.name):
                raise UnsafeZipError(f"{path.name}: member {entry.name!r} is a link, a device, or leads outside")
            entries.append(entry)
            if len(entries) > limits.members or sum(one.size for one in entries) > limits.total_bytes:
                raise UnsafeZipError(f"{path.name}: more members or bytes than a series may have")
        for entry, target in zip(entries, safe_names(entry.name for entry in entries), strict=True):
            reader = tar.extractfile(entry)
            assert reader is not None  # it is a plain file
            with reader:
                written[target] = write_hashed(into / target, pieces_of(reader), on_bytes)
            facts[target] = FileFacts(entry.size, written[target].md5)
    return Delivery(facts, written)


def _check(entries: list[zipfile.ZipInfo], packed_bytes: int, limits: Limits) -> None:
    if len(entries) > limits.members:
        raise UnsafeZipError(f"the zip has {len(entries)} members, more than the {limits.members} a series may have")
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        raise UnsafeZipError(f"the zip would unpack to {total} bytes, more than the {limits.total_bytes} allowed")
    if total > limits.free_bytes and total > limits.ratio * max(1, packed_bytes):
        raise UnsafeZipError(f"the zip of {packed_bytes} bytes would unpack to {total}: no images shrink like that")
    seen: set[str] = set()
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind and not stat.S_ISREG(entry.external_attr >> 16):
            raise UnsafeZipError(f"member {entry.filename!r} of the zip is a link or a device")
        if _leads_outside(entry.filename):
            raise UnsafeZipError(f"member {entry.filename!r} of the zip leads outside its folder")
        if entry.flag_bits & 1:
            raise UnsafeZipError(f"member {entry.filename!r} of the zip is encrypted")
        if entry.filename in seen:
            raise UnsafeZipError(f"member {entry.filename!r} is in the zip twice")
        seen.add(entry.filename)


def _leads_outside(name: str) -> bool:
    return "\x00" in name or "\\" in name or name.startswith("/") or ".." in name.split("/") or ":" in name


def _at_most(reader: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's bytes as they are unpacked, and no more than it says it has."""
    left = entry.file_size
    for piece in pieces_of(reader):
        left -= len(piece)
        if left < 0:
            raise UnsafeZipError(f"member {entry.filename!r} of the zip holds more bytes than it says")
        yield piece


def _md5_table(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> dict[str, str]:
    """Read ``Filename,MD5Hash`` lines, with or without the line of names."""
    if entry.file_size > 16 << 20:
        raise UnsafeZipError(f"the zip's table of MD5s has {entry.file_size} bytes")
    table = {}
    for line in archive.read(entry).decode("utf-8", "replace").splitlines():
        name, _, md5 = line.strip().rpartition(",")
        md5 = md5.strip().strip('"').lower()
        if len(md5) == 32 and all(digit in "0123456789abcdef" for digit in md5):
            table[PurePosixPath(name.strip().strip('"')).name] = md5
    return table
