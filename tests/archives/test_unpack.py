import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.archives.archive import DeliveryError, UnsafeZipError
from modality_assets.archives.unpack import Limits, safe_names, unpack_tar, unzip


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED, md5s: bool = True) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if md5s:
            lines = [f"{name},{hashlib.md5(data).hexdigest()}" for name, data in members.items()]
            archive.writestr("md5hashes.csv", "\n".join(["Filename,MD5Hash", *lines]))
    return file


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_written_flat_and_md5s_promised(compression: int, tmp_path: Path) -> None:
    members = {"1-01.dcm": b"one" * 200_000, "1-02.dcm": b"two"}
    delivery = unzip(zipped({**members, "LICENSE": b"CC BY"}, compression), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == members
    assert {name: facts.md5 for name, facts in delivery.files.items()} == {
        name: hashlib.md5(data).hexdigest() for name, data in members.items()
    }


def test_a_zip_without_a_table_of_md5s_is_checked_by_crc(tmp_path: Path) -> None:
    file = zipped({"1.dcm": b"pixels" * 100}, md5s=False)
    data = bytearray(file.getvalue())
    data[data.index(b"pixels") + 3] ^= 1
    with pytest.raises(DeliveryError, match="CRC"):
        unzip(io.BytesIO(bytes(data)), tmp_path)


def test_a_table_of_md5s_needs_no_line_of_names(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.dcm", b"one")
        archive.writestr("md5hashes.csv", f"1.dcm,{hashlib.md5(b'one').hexdigest().upper()}\n")
    assert unzip(file, tmp_path).files["1.dcm"].md5 == hashlib.md5(b"one").hexdigest()


@pytest.mark.parametrize("name", ["../1.dcm", "a/../../1.dcm", "/etc/1.dcm", "a\\..\\1.dcm", "C:1.dcm"])
def test_a_member_that_leads_outside_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    into = tmp_path / "inside"
    into.mkdir()
    with pytest.raises(UnsafeZipError, match="leads outside"):
        unzip(zipped({"ok.dcm": b"", name: b"evil"}, md5s=False), into)
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("1.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeZipError, match="link"):
        unzip(file, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path: Path) -> None:
    file = zipped({"1.dcm": bytes(3 << 20)}, zipfile.ZIP_DEFLATED, md5s=False)
    with pytest.raises(UnsafeZipError, match="no images shrink like that"):
        unzip(file, tmp_path, limits=Limits(free_bytes=1 << 20))
    with pytest.raises(UnsafeZipError, match="more than the 1000000 allowed"):
        unzip(file, tmp_path, limits=Limits(total_bytes=1_000_000))
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_holds_more_than_it_says_is_stopped(tmp_path: Path) -> None:
    file = zipped({"1.dcm": bytes(3 << 20)}, zipfile.ZIP_DEFLATED, md5s=False)
    data = bytearray(file.getvalue())
    at = data.index(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    data[at : at + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(DeliveryError):
        unzip(io.BytesIO(bytes(data)), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1 << 20


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeZipError, match="21 members"):
        unzip(zipped({f"{n}.dcm": b"" for n in range(20)}), tmp_path, limits=Limits(members=20))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.95])
def test_a_zip_cut_off_anywhere_is_a_damaged_delivery(keep: float, tmp_path: Path) -> None:
    data = zipped({"1.dcm": b"x" * 5000, "2.dcm": b"y" * 5000}).getvalue()
    with pytest.raises(DeliveryError, match="damaged or cut off"):
        unzip(io.BytesIO(data[: int(keep * len(data))]), tmp_path)


def test_a_file_that_the_table_lists_and_the_zip_lacks_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1.dcm", b"one")
        archive.writestr("md5hashes.csv", f"Filename,MD5Hash\n1.dcm,{'0' * 32}\n2.dcm,{'1' * 32}\n")
    with pytest.raises(DeliveryError, match=r"2\.dcm"):
        unzip(file, tmp_path)


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
