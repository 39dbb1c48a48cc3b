"""Zips and tars from outside, unpacked without trusting a word of them."""

import itertools
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modality_assets.archives.archive import Delivery, DeliveryError, FileFacts, UnsafeZipError, Written
from modality_assets.archives.written import pieces_of, write_hashed
from modality_assets.archives.zip_stream import Member, ZipStream
from modality_assets.manifest import MANIFEST

_LONGEST_TABLE = 16 << 20


@dataclass(frozen=True)
class Limits:
    """What one series may hold at most. The ratio counts only beyond ``free_bytes``: black images shrink well."""

    members: int = 50_000
    total_bytes: int = 64 << 30
    ratio: float = 200.0
    free_bytes: int = 256 << 20


class SafeNames:
    """Gives each path a plain file name: no folders, unique, none that the store itself uses."""

    def __init__(self) -> None:
        self._used: set[str] = {MANIFEST}

    def name(self, path: str) -> str:
        name = PurePosixPath(path.replace("\\", "/")).name.replace("\x00", "_")
        if name.startswith(".") or not name:
            name = f"file{name}"
        if name in self._used:
            name = next(new for number in itertools.count(2) if (new := f"{number}-{name}") not in self._used)
        self._used.add(name)
        return name


def safe_names(paths: Iterable[str]) -> list[str]:
    """Return one plain file name for each path, in order, as `SafeNames` gives them."""
    names = SafeNames()
    return [names.name(path) for path in paths]


def unzip(
    pieces: Iterable[bytes],
    into: Path,
    *,
    limits: Limits | None = None,
    md5s: str | None = "md5hashes.csv",
    skip: tuple[str, ...] = ("LICENSE",),
) -> Delivery:
    """Unpack the zip of one series into ``into`` while it comes, flat; return what its own table of MD5s promises.

    ``pieces`` are the bytes of the zip. ``md5s`` is the member with the table, None where there is none to
    expect; it and members whose name starts with one of ``skip`` are not written. The CRC of every member is
    checked here. Raises `UnsafeZipError` for a zip no honest archive sends, `DeliveryError` for a damaged one;
    nothing is left of it in ``into`` then.
    """
    unpacking = _Unpacking(ZipStream(pieces), into, limits or Limits(), md5s, skip)
    try:
        return unpacking.delivery()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        unpacking.undo()
        raise DeliveryError(f"the zip is damaged or cut off: {error}") from None
    except BaseException:
        unpacking.undo()
        raise


class _Unpacking:
    """One zip on its way into a folder."""

    def __init__(self, stream: ZipStream, into: Path, limits: Limits, md5s: str | None, skip: tuple[str, ...]) -> None:
        self._stream, self._into, self._limits, self._md5s, self._skip = stream, into, limits, md5s, skip
        self._names = SafeNames()
        self._targets: dict[str, str] = {}  # file name to the member that it was
        self._unpacked_bytes = 0

    def delivery(self) -> Delivery:
        promised: dict[str, str] = {}
        written: dict[str, Written] = {}
        members: set[str] = set()
        for member, pieces in self._stream.members():
            self._check(member, members)
            members.add(member.name)
            base = PurePosixPath(member.name).name
            if member.is_folder:
                continue
            limited = self._limited(pieces, member)
            if base == self._md5s:
                promised = _md5_table(limited)
            elif base.upper().startswith(self._skip):
                for _ in limited:
                    pass
            else:
                target = self._names.name(member.name)
                self._targets[target] = member.name
                written[target] = write_hashed(self._into / target, limited, md5=self._md5s is not None)
        self._refuse_links()
        absent = sorted(set(promised) - {PurePosixPath(name).name for name in members})
        if absent:
            raise DeliveryError(f"{self._md5s} lists {len(absent)} file(s) that the zip lacks, the first {absent[0]!r}")
        facts = {
            target: FileFacts(written[target].size_bytes, promised.get(PurePosixPath(name).name))
            for target, name in self._targets.items()
        }
        return Delivery(facts, written, self._targets)

    def undo(self) -> None:
        for target in self._targets:
            (self._into / target).unlink(missing_ok=True)

    def _check(self, member: Member, earlier: set[str]) -> None:
        if len(earlier) >= self._limits.members:
            raise UnsafeZipError(f"the zip has more than the {self._limits.members} members that a series may have")
        if _leads_outside(member.name):
            raise UnsafeZipError(f"member {member.name!r} of the zip leads outside its folder")
        if member.encrypted:
            raise UnsafeZipError(f"member {member.name!r} of the zip is encrypted")
        if member.name in earlier:
            raise UnsafeZipError(f"member {member.name!r} is in the zip twice")
        self._check_sizes(self._unpacked_bytes + (member.size_bytes or 0))

    def _check_sizes(self, unpacked: int) -> None:
        limits, packed = self._limits, self._stream.packed_bytes
        if unpacked > limits.total_bytes:
            raise UnsafeZipError(
                f"the zip unpacks to {unpacked} bytes and more; more than the {limits.total_bytes} allowed"
            )
        if unpacked > limits.free_bytes and unpacked > limits.ratio * packed:
            raise UnsafeZipError(f"{packed} bytes of the zip unpack to {unpacked}: no images shrink like that")

    def _limited(self, pieces: Iterable[memoryview], member: Member) -> Iterator[memoryview]:
        """Pass a member's bytes on, no more than it says it has and no more than are allowed."""
        begins = self._unpacked_bytes
        for piece in pieces:
            self._unpacked_bytes += len(piece)
            if member.size_bytes is not None and self._unpacked_bytes - begins > member.size_bytes:
                raise UnsafeZipError(f"member {member.name!r} of the zip holds more bytes than it says")
            self._check_sizes(self._unpacked_bytes)
            yield piece

    def _refuse_links(self) -> None:
        for name, mode in self._stream.modes.items():
            if stat.S_IFMT(mode) and not stat.S_ISREG(mode) and not (name.endswith("/") and stat.S_ISDIR(mode)):
                raise UnsafeZipError(f"member {name!r} of the zip is a link or a device")


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


def _leads_outside(name: str) -> bool:
    return "\x00" in name or "\\" in name or name.startswith("/") or ".." in name.split("/") or ":" in name


def _md5_table(pieces: Iterable[memoryview]) -> dict[str, str]:
    """Read ``Filename,MD5Hash`` lines, with or without the line of names."""
    text = bytearray()
    for piece in pieces:
        text += piece
        if len(text) > _LONGEST_TABLE:
            raise UnsafeZipError(f"the zip's table of MD5s has more than {_LONGEST_TABLE} bytes")
    table = {}
    for line in text.decode("utf-8", "replace").splitlines():
        name, _, md5 = line.strip().rpartition(",")
        md5 = md5.strip().strip('"').lower()
        if len(md5) == 32 and all(digit in "0123456789abcdef" for digit in md5):
            table[PurePosixPath(name.strip().strip('"')).name] = md5
    return table
