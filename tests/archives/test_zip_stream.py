import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64, ZIP_32, ZIP_64, stream_zip

from modality_assets.archives.written import PIECE
from modality_assets.archives.zip_stream import ZipStream

MEMBERS = {"1.dcm": bytes(300_000), "folder/2.dcm": b"two", "empty": b"", "3.dcm": b"PK\x07\x08PK" * 60_000}


def arriving(data: bytes, length: int) -> Iterator[bytes]:
    yield b""  # connections do that
    for at in range(0, len(data), length):
        yield data[at : at + length]


def read(data: bytes, length: int = 65_536) -> dict[str, bytes]:
    return {member.name: b"".join(pieces) for member, pieces in ZipStream(arriving(data, length)).members()}


class _Pipe(io.RawIOBase):
    """What cannot be sought in: zipfile writes sizes and CRCs behind the members then."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        self.data += memoryview(piece)  # type: ignore[arg-type]
        return len(memoryview(piece))  # type: ignore[arg-type]


def by_zipfile(members: dict[str, bytes], compression: int, *, pipe: bool, zip64: bool) -> bytes:
    out: _Pipe | io.BytesIO = _Pipe() if pipe else io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(data)
    return bytes(out.data) if isinstance(out, _Pipe) else out.getvalue()


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("length", [1009, PIECE, 1 << 30])
def test_what_zipfile_writes_is_read_as_it_is(length: int, compression: int, pipe: bool, zip64: bool) -> None:
    assert read(by_zipfile(MEMBERS, compression, pipe=pipe, zip64=zip64), length) == MEMBERS


@pytest.mark.parametrize("kind", ["ZIP_32", "ZIP_64", "NO_COMPRESSION_32", "NO_COMPRESSION_64"])
def test_what_another_program_writes_is_read_as_it_is(kind: str) -> None:
    def method(data: bytes) -> object:
        if kind.startswith("ZIP"):
            return {"ZIP_32": ZIP_32, "ZIP_64": ZIP_64}[kind]
        return {"NO_COMPRESSION_32": NO_COMPRESSION_32, "NO_COMPRESSION_64": NO_COMPRESSION_64}[kind](
            len(data), zlib.crc32(data)
        )

    files = [(name, datetime.now(UTC), 0o600, method(data), [data]) for name, data in MEMBERS.items()]
    assert read(b"".join(stream_zip(files))) == MEMBERS  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [1, 5, 1 << 20])
def test_a_stored_zip_within_a_stored_zip_is_one_member(length: int) -> None:
    inner = by_zipfile({"1.dcm": b"one", "2.dcm": b"two"}, zipfile.ZIP_STORED, pipe=True, zip64=False)
    members = {"inner.zip": inner, "last": b"x"}
    assert read(by_zipfile(members, zipfile.ZIP_STORED, pipe=True, zip64=False), length) == members


def test_a_member_made_to_end_early_contradicts_the_directory() -> None:
    """Its own bytes hold a descriptor that is true of what is before it, and another member behind that."""
    first = b"innocent"
    hidden = b"PK\x07\x08" + struct.pack("<3L", zlib.crc32(first), len(first), len(first))
    hidden += by_zipfile({"evil": b"evil"}, zipfile.ZIP_STORED, pipe=False, zip64=False)[: 30 + 4 + 4]
    data = by_zipfile({"1.dcm": first + hidden}, zipfile.ZIP_STORED, pipe=True, zip64=False)
    with pytest.raises(zipfile.BadZipFile):
        read(data)


def test_descriptors_without_a_signature_are_read_where_the_end_is_known() -> None:
    data = by_zipfile({"1.dcm": bytes(1000)}, zipfile.ZIP_DEFLATED, pipe=True, zip64=False)
    at = data.index(b"PK\x07\x08")
    bare = bytearray(data[:at] + data[at + 4 :])
    struct.pack_into("<L", bare, len(bare) - 6, bare.index(b"PK\x01\x02"))
    assert read(bytes(bare)) == {"1.dcm": bytes(1000)}


def test_a_member_that_nobody_reads_is_skipped() -> None:
    data = by_zipfile(MEMBERS, zipfile.ZIP_STORED, pipe=True, zip64=False)
    assert [member.name for member, _ in ZipStream(arriving(data, 4096)).members()] == list(MEMBERS)


def test_the_modes_of_members_are_known_at_the_end() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("1.dcm")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, b"elsewhere")
    stream = ZipStream([out.getvalue()])
    assert [member.name for member, _ in stream.members()] == ["1.dcm"]
    assert stream.modes == {"1.dcm": 0o120777}


def test_other_compressions_are_named() -> None:
    data = by_zipfile({"1.dcm": b"one"}, zipfile.ZIP_BZIP2, pipe=False, zip64=False)
    with pytest.raises(zipfile.BadZipFile, match="method 12"):
        read(data)


SMALL = {"1.dcm": b"one one one", "2.dcm": b"", "3.dcm": bytes(range(256))}
KINDS = st.tuples(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.booleans(), st.booleans())


def of_kind(kind: tuple[int, bool, bool]) -> bytes:
    return by_zipfile(SMALL, kind[0], pipe=kind[1], zip64=kind[2])


@settings(deadline=None)
@given(KINDS, st.floats(0, 1, exclude_max=True))
def test_a_zip_cut_off_anywhere_is_never_taken_for_whole(kind: tuple[int, bool, bool], at: float) -> None:
    data = of_kind(kind)
    with pytest.raises(zipfile.BadZipFile):
        read(data[: int(at * len(data))])


@settings(max_examples=400, deadline=None)
@given(KINDS, st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.integers(1, 400))
def test_a_byte_changed_anywhere_never_changes_what_is_read(
    kind: tuple[int, bool, bool], at: float, flip: int, length: int
) -> None:
    data = bytearray(of_kind(kind))
    data[int(at * len(data))] ^= flip
    try:
        found = read(bytes(data), length)
    except (zipfile.BadZipFile, zlib.error):
        return
    assert list(found.values()) == list(SMALL.values())


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_bytes_that_are_no_zip_are_refused(data: bytes) -> None:
    with pytest.raises((zipfile.BadZipFile, zlib.error)):
        read(data)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.binary(max_size=99)),
    KINDS,
    st.integers(1, 200),
)
def test_any_members_come_out_as_they_went_in(
    members: dict[str, bytes], kind: tuple[int, bool, bool], length: int
) -> None:
    assert read(by_zipfile(members, kind[0], pipe=kind[1], zip64=kind[2]), length) == members
