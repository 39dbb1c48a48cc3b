"""Zips read while they arrive (PKWARE APPNOTE.TXT 6.3.10), from front to back, without a file to seek in.

Members are found by their local headers, and believed only once the central directory at the end says the same
of every one of them: where it begins, its name, its two sizes and its CRC. So there are no members that
overlap, and none that one reader would see and another not. Not read, and said so: compressions other than
deflate, and stored members that end in a data descriptor without signature, which have no end to be found.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

from modality_assets.archives.written import PIECE

_LOCAL, _DESCRIPTOR, _ENTRY = b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02"
_END_64, _LOCATOR_64, _END = b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
_LOCAL_FIELDS = struct.Struct("<4s3H4s3L2H")
_ENTRY_FIELDS = struct.Struct("<4s4H4s3L5H2L")
_END_FIELDS = struct.Struct("<4s4H2LH")
_DESCRIPTORS = tuple(
    (signature, struct.Struct(fields)) for signature in (_DESCRIPTOR, b"") for fields in ("<3L", "<L2Q")
)
"""What may follow a member: CRC, packed size and size, in 4 or 8 bytes, behind a signature or not (4.3.9)."""
_LONGEST_DESCRIPTOR = 24
_LOCATOR_64_LENGTH = 20
_ENCRYPTED, _HAS_DESCRIPTOR, _UTF8 = 1 << 0, 1 << 3, 1 << 11
_ZIP64 = 1  # number of the extra field that holds what needs 8 bytes
_MANY, _LONG = 0xFFFF, 0xFFFFFFFF  # "look in the fields of Zip64"


@dataclass(frozen=True)
class Member:
    """What the local header says. ``packed_bytes`` and ``size_bytes`` are None where they come after the member."""

    name: str
    method: int
    encrypted: bool
    crc: int | None
    packed_bytes: int | None
    size_bytes: int | None

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, order=True)
class _Found:
    """What a member turned out to be, to be compared with what the directory says of it."""

    offset: int
    name: str
    crc: int
    packed_bytes: int
    size_bytes: int


class ZipStream:
    """One zip. Raises BadZipFile for what is damaged, cut off or contradicts itself.

    ``modes`` maps each member's name to its Unix mode (0 where none is kept); it is complete when `members`
    is at its end.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._source = _Source(pieces)
        self._found: list[_Found] = []
        self._crc = self._size = 0  # of what came of the member at hand
        self.modes: dict[str, int] = {}

    @property
    def packed_bytes(self) -> int:
        """How much of the zip was read."""
        return self._source.position

    def members(self) -> Iterator[tuple[Member, Iterator[memoryview]]]:
        """Yield the members in their order, each with its bytes; at the end, compare them with the directory.

        The bytes are worth nothing before their iterator has ended well. What is not read of them is skipped.
        """
        while self._source.peek(4) == _LOCAL:
            offset = self._source.position
            member = self._header()
            pieces = self._checked(member, offset)
            yield member, pieces
            for _ in pieces:
                pass
        self._directory()

    def _header(self) -> Member:
        _, _, flags, method, _, crc, packed, size, name_length, extra_length = _LOCAL_FIELDS.unpack(
            self._source.take(_LOCAL_FIELDS.size)
        )
        name = _text(self._source.take(name_length), flags)
        size, packed = _wide(self._source.take(extra_length), [size, packed])
        crc_later = bool(flags & _HAS_DESCRIPTOR)
        sizes_later = crc_later and not packed
        return Member(
            name=name,
            method=method,
            encrypted=bool(flags & _ENCRYPTED),
            crc=None if crc_later else crc,
            packed_bytes=None if sizes_later else packed,
            size_bytes=None if sizes_later else size,
        )

    def _checked(self, member: Member, offset: int) -> Iterator[memoryview]:
        """Yield a member's bytes, and compare CRC and sizes with the header, or with the descriptor behind them."""
        begins = self._source.position
        self._crc = self._size = 0
        for piece in self._unpacked(member):
            self._crc, self._size = zlib.crc32(piece, self._crc), self._size + len(piece)
            yield piece
        packed = self._source.position - begins
        if member.packed_bytes not in (None, packed) or member.size_bytes not in (None, self._size):
            raise BadZipFile(f"member {member.name!r} has {self._size} bytes and should have {member.size_bytes}")
        if member.crc is None:
            following = self._source.peek(_LONGEST_DESCRIPTOR + 4)
            length = _descriptor_length(following, 0, (self._crc, packed, self._size))
            if length is None:
                raise BadZipFile(f"CRC or size of member {member.name!r} is not the one that follows it")
            self._source.take(length)
        elif self._crc != member.crc:
            raise BadZipFile(f"bad CRC of member {member.name!r}")
        self._found.append(_Found(offset, member.name, self._crc, packed, self._size))

    def _unpacked(self, member: Member) -> Iterator[memoryview]:
        if member.method == ZIP_DEFLATED:
            return self._inflated()
        if member.method != ZIP_STORED:
            raise BadZipFile(f"member {member.name!r} is compressed by method {member.method}, which is not read")
        return self._stored(member.packed_bytes) if member.packed_bytes is not None else self._until_descriptor(member)

    def _stored(self, left: int) -> Iterator[memoryview]:
        while left:
            self._source.window(min(left, PIECE))  # few large pieces are handled quicker than many small ones
            piece = self._source.some(left)
            left -= len(piece)
            yield piece

    def _inflated(self) -> Iterator[memoryview]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while not inflater.eof:
            packed: bytes | memoryview = self._source.some()
            while packed and not inflater.eof:
                if piece := inflater.decompress(packed, PIECE):
                    yield memoryview(piece)
                packed = inflater.unconsumed_tail
        self._source.give_back(inflater.unused_data)

    def _until_descriptor(self, member: Member) -> Iterator[memoryview]:
        """Yield what comes before the first signature behind which CRC and sizes of all before it stand."""
        while True:
            window = self._source.window(PIECE)
            at = _next_descriptor(window, self._crc, self._size)
            if at is None and len(window) < PIECE:
                raise BadZipFile(f"member {member.name!r} has no end")
            if at != 0:
                yield self._source.some(len(window) - _LONGEST_DESCRIPTOR - 4 if at is None else at)
            if at is not None:
                return

    def _directory(self) -> None:
        """Read the central directory and what ends it; raise unless it lists exactly the members that came."""
        listed: list[_Found] = []
        while self._source.peek(4) == _ENTRY:
            _, _, _, flags, _, _, crc, packed, size, name_length, extra_length, comment_length, _, _, mode, offset = (
                _ENTRY_FIELDS.unpack(self._source.take(_ENTRY_FIELDS.size))
            )
            name = _text(self._source.take(name_length), flags)
            size, packed, offset = _wide(self._source.take(extra_length), [size, packed, offset])
            self._source.take(comment_length)
            listed.append(_Found(offset, name, crc, packed, size))
            self.modes[name] = mode >> 16
        if self._source.peek(4) == _END_64:
            length = struct.unpack("<4sQ", self._source.take(12))[1]
            self._source.take(min(length, PIECE))
        if self._source.peek(4) == _LOCATOR_64:
            self._source.take(_LOCATOR_64_LENGTH)
        signature, _, _, _, count, _, _, comment_length = _END_FIELDS.unpack(self._source.take(_END_FIELDS.size))
        self._source.take(comment_length)
        if signature != _END or count not in (len(listed), _MANY):
            raise BadZipFile("its directory does not end where it should")
        if self._source.peek(1):
            raise BadZipFile("more bytes follow its end")
        if sorted(listed) != self._found:
            raise BadZipFile("its directory does not list the members that it holds")


class _Source:
    """Bytes that come in pieces of any length, looked at and taken in others."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        self._at = 0  # what of `_held` was taken
        self.position = 0

    def window(self, amount: int) -> bytes:
        """Return everything held, at least the next ``amount`` bytes, fewer at the end, and leave it there."""
        room = amount - len(self._held) + self._at
        if room > 0 or self._at:
            held = [self._held[self._at :]] if self._at < len(self._held) else []
            while room > 0 and (piece := next(self._pieces, None)) is not None:
                held.append(piece)
                room -= len(piece)
            self._held, self._at = b"".join(held), 0  # of one piece, that piece itself
        return self._held

    def peek(self, amount: int) -> bytes:
        """Return the next ``amount`` bytes, fewer at the end, and leave them there."""
        if len(self._held) - self._at < amount:
            self.window(amount)
        return self._held[self._at : self._at + amount]

    def take(self, amount: int) -> bytes:
        """Return the next ``amount`` bytes; raise BadZipFile where there are fewer."""
        taken = self.peek(amount)
        if len(taken) < amount:
            raise BadZipFile(f"it ends after {self.position + len(taken)} bytes")
        self._drop(amount)
        return taken

    def some(self, at_most: int | None = None) -> memoryview:
        """Return some of the next bytes, at least one; raise BadZipFile where there is none."""
        if self._at == len(self._held) and not self.window(1):
            raise BadZipFile(f"it ends after {self.position} bytes")
        piece = memoryview(self._held)[self._at :][:at_most]
        self._drop(len(piece))
        return piece

    def give_back(self, taken: bytes) -> None:
        self._held, self._at = taken + self._held[self._at :], 0
        self.position -= len(taken)

    def _drop(self, amount: int) -> None:
        self._at += amount
        self.position += amount


def _text(name: bytes, flags: int) -> str:
    try:
        return name.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise BadZipFile(f"the name {name!r} of a member is not UTF-8") from None


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """Return ``values`` with those that do not fit into 4 bytes replaced by what the extra fields say (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        number, length = struct.unpack_from("<2H", extra, at)
        if number == _ZIP64:
            said = extra[at + 4 : at + 4 + length]
            wide = iter(struct.unpack_from(f"<{len(said) // 8}Q", said))
            return [next(wide, value) if value == _LONG else value for value in values]
        at += 4 + length
    return values


def _descriptor_length(data: bytes, at: int, facts: tuple[int, int, int]) -> int | None:
    """Return the length of the descriptor at ``at``, None unless one is there, and states ``facts``."""
    for signature, fields in _DESCRIPTORS:
        length = len(signature) + fields.size
        if (
            len(data) >= at + length + 4
            and data.startswith(signature, at)
            and fields.unpack_from(data, at + len(signature)) == facts
            and data[at + length : at + length + 4] in (_LOCAL, _ENTRY)
        ):
            return length
    return None


def _next_descriptor(window: bytes, crc: int, size: int) -> int | None:
    """Return where in ``window`` the descriptor of a stored member begins of which ``size`` bytes came before."""
    found = []
    at = len(window)
    while (at := window.rfind(_DESCRIPTOR, 0, at)) >= 0:  # three times as fast as from the front
        found.append(at)
    for at in reversed(found):
        length = size + at
        if window[at + 8 : at + 12] == (length & _LONG).to_bytes(4, "little"):
            facts = (zlib.crc32(memoryview(window)[:at], crc), length, length)
            if _descriptor_length(window, at, facts) is not None:
                return at
    return None
