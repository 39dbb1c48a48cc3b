import hashlib
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.archives.archive import DeliveryError, UnsafeZipError
from modality_assets.archives.unpack import Limits, safe_names, unpack_tar, unzip


def arriving(data: bytes, length: int = 1000) -> Iterator[bytes]:
    """The bytes as a connection brings them."""
    return (data[at : at + length] for at in range(0, len(data), length))


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED, md5s: bool = True) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if md5s:
            lines = [f"{name},{hashlib.md5(data).hexdigest()}" for name, data in members.items()]
            archive.writestr("md5hashes.csv", "\n".join(["Filename,MD5Hash", *lines]))
    return file.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("length", [7, 65536, 1 << 30])
def test_members_are_written_flat_and_md5s_promised(length: int, compression: int, tmp_path: Path) -> None:
    members = {"1-01.dcm": b"one" * 200_000, "1-02.dcm": b"two"}
    delivery = unzip(arriving(zipped({**members, "LICENSE": b"CC BY"}, compression), length), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == members
    assert {name: facts.md5 for name, facts in delivery.files.items()} == {
        name: hashlib.md5(data).hexdigest() for name, data in members.items()
    }


def test_a_zip_without_a_table_of_md5s_is_checked_by_crc(tmp_path: Path) -> None:
    data = bytearray(zipped({"1.dcm": b"pixels" * 100}, md5s=False))
    data[data.index(b"pixels") + 3] ^= 1
    with pytest.raises(DeliveryError, match="CRC"):
        unzip(arriving(bytes(data)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_md5s_needs_no_line_of_names(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.dcm", b"one")
        archive.writestr("md5hashes.csv", f"1.dcm,{hashlib.md5(b'one').hexdigest().upper()}\n")
    assert unzip(arriving(file.getvalue()), tmp_path).files["1.dcm"].md5 == hashlib.md5(b"one").hexdigest()


@pytest.mark.parametrize("name", ["../1.dcm", "a/../../1.dcm", "/etc/1.dcm", "a\\..\\1.dcm", "C:1.dcm"])
def test_a_member_that_leads_outside_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    into = tmp_path / "inside"
    into.mkdir()
    with pytest.raises(UnsafeZipError, match="leads outside"):
        unzip(arriving(zipped({"ok.dcm": b"", name: b"evil"}, md5s=False)), into)
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("1.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeZipError, match="link"):
        unzip(arriving(file.getvalue()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path: Path) -> None:
    data = zipped({"1.dcm": bytes(3 << 20)}, zipfile.ZIP_DEFLATED, md5s=False)
    with pytest.raises(UnsafeZipError, match="no images shrink like that"):
        unzip(arriving(data), tmp_path, limits=Limits(free_bytes=1 << 20))
    with pytest.raises(UnsafeZipError, match="more than the 1000000 allowed"):
        unzip(arriving(data), tmp_path, limits=Limits(total_bytes=1_000_000))
    assert list(tmp_path.iterdir()) == []


def test_a_zip_bomb_is_stopped_before_it_has_filled_the_disk(tmp_path: Path) -> None:
    on_disk: list[int] = []

    def watched(data: bytes) -> Iterator[bytes]:
        for piece in arriving(data, 64):
            on_disk.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield piece

    data = zipped({"1.dcm": bytes(64 << 20)}, zipfile.ZIP_DEFLATED, md5s=False)
    data = unsized(data)
    with pytest.raises(UnsafeZipError):
        unzip(watched(data), tmp_path, limits=Limits(total_bytes=2 << 20))
    assert 0 < max(on_disk) <= 2 << 20


def unsized(data: bytes) -> bytes:
    """The zip of one member with the sizes of its local header behind the member, as a server without them sends it."""
    crc, packed, size = struct.unpack_from("<3L", data, 14)
    ends = data.index(b"PK\x01\x02")
    later = bytearray(data[:ends] + b"PK\x07\x08" + struct.pack("<3L", crc, packed, size) + data[ends:])
    later[6] |= 8
    later[14:26] = bytes(12)
    struct.pack_into("<L", later, len(later) - 6, ends + 16)
    return bytes(later)


def test_a_member_that_holds_more_than_it_says_is_stopped(tmp_path: Path) -> None:
    data = bytearray(zipped({"1.dcm": bytes(3 << 20)}, zipfile.ZIP_DEFLATED, md5s=False))
    struct.pack_into("<L", data, 22, 1000)  # the size in the local header
    with pytest.raises(UnsafeZipError, match="more bytes than it says"):
        unzip(arriving(bytes(data)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeZipError, match="more than the 20 members"):
        unzip(arriving(zipped({f"{n}.dcm": b"" for n in range(20)})), tmp_path, limits=Limits(members=20))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.95])
def test_a_zip_cut_off_anywhere_is_a_damaged_delivery(keep: float, tmp_path: Path) -> None:
    data = zipped({"1.dcm": b"x" * 5000, "2.dcm": b"y" * 5000})
    with pytest.raises(DeliveryError, match="damaged or cut off"):
        unzip(arriving(data[: int(keep * len(data))]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_table_lists_and_the_zip_lacks_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.dcm", b"one")
        archive.writestr("md5hashes.csv", f"Filename,MD5Hash\n1.dcm,{'0' * 32}\n2.dcm,{'1' * 32}\n")
    with pytest.raises(DeliveryError, match=r"2\.dcm"):
        unzip(arriving(file.getvalue()), tmp_path)


def test_an_encrypted_member_and_one_that_comes_twice_are_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"1.dcm": b"one", "2.dcm": b"two"}, md5s=False))
    data[6] |= 1
    with pytest.raises(UnsafeZipError, match="encrypted"):
        unzip(arriving(bytes(data)), tmp_path)
    twice = zipped({"1.dcm": b"one", "2.dcm": b"two"}, md5s=False).replace(b"2.dcm", b"1.dcm")
    with pytest.raises(UnsafeZipError, match="twice"):
        unzip(arriving(twice), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_leaves_nothing_half_unpacked(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield zipped({"1.dcm": b"x" * 5000})[:3000]
        raise DeliveryError("the answer was cut off")

    with pytest.raises(DeliveryError, match="the answer was cut off"):
        unzip(breaking(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def tarred(path: Path, change: Callable[[tarfile.TarInfo], None] = lambda entry: None) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in ("001", "002"):
            entry = tarfile.TarInfo(name)
            entry.size = 3
            change(entry)
            tar.addfile(entry, io.BytesIO(b"abc"))
    return path


def test_a_tar_of_a_series_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    delivery = unpack_tar(tarred(tmp_path / "1.tar.gz"), tmp_path / "into", lambda amount: None)
    assert delivery.files["001"].md5 == hashlib.md5(b"abc").hexdigest()
    assert (tmp_path / "into" / "002").read_bytes() == b"abc"


def test_a_tar_with_a_link_or_a_way_out_is_refused(tmp_path: Path) -> None:
    def link(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0

    def out(entry: tarfile.TarInfo) -> None:
        entry.name = "../" + entry.name

    for number, change in enumerate((link, out)):
        with pytest.raises(UnsafeZipError):
            unpack_tar(tarred(tmp_path / f"{number}.tar.gz", change), tmp_path, lambda amount: None)


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_safe_names_are_plain_and_never_the_manifest(names: list[str]) -> None:
    safe = safe_names(names)
    assert len(set(safe)) == len(names)
    for name in safe:
        assert "/" not in name
        assert not name.startswith(".")
        assert name != "manifest.json"
