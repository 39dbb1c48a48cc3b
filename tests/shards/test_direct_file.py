"""Files written past the page cache hold what was written, on any file system."""

import errno
import fcntl
import os

import pytest

from modality_assets.shards import direct_file
from modality_assets.shards.direct_file import DirectFile

LENGTHS = [[0], [1], [4096], [4095, 2], [3 << 20], [100_352] * 50, [1, (2 << 20) - 1, 5000]]


def write(path, pieces):
    file = DirectFile(path)
    for piece in pieces:
        file.write(memoryview(piece))
    file.close()


@pytest.mark.parametrize("lengths", LENGTHS, ids=lambda lengths: f"{sum(lengths)} bytes in {len(lengths)}")
def test_the_file_holds_what_was_written(tmp_path, lengths):
    pieces = [os.urandom(length) for length in lengths]
    write(tmp_path / "file", pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


@pytest.mark.parametrize("fails_at", ["turning on", "writing"])
def test_where_the_file_system_cannot_the_file_is_a_plain_one(tmp_path, monkeypatch, fails_at):
    direct, real_fcntl, real_write = os.O_DIRECT, fcntl.fcntl, os.write

    def refusing_fcntl(descriptor, command, *flags):
        if command == fcntl.F_SETFL and flags[0] & direct and fails_at == "turning on":
            raise OSError(errno.EINVAL, "no direct writing here")
        return real_fcntl(descriptor, command, *flags)

    def refusing_write(descriptor, data):
        if real_fcntl(descriptor, fcntl.F_GETFL) & direct:
            raise OSError(errno.EINVAL, "no direct writing here")
        return real_write(descriptor, data)

    monkeypatch.setattr(direct_file.fcntl, "fcntl", refusing_fcntl)
    monkeypatch.setattr(direct_file.os, "write", refusing_write)
    pieces = [os.urandom(3 << 20), b"end"]
    write(tmp_path / "file", pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_a_full_disk_is_an_error_and_an_abandoned_file_is_closed(tmp_path, monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    file = DirectFile(tmp_path / "file")
    monkeypatch.setattr(direct_file.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        file.write(memoryview(bytes(3 << 20)))
    file.abandon()
    file.abandon()
    with pytest.raises(FileExistsError):
        DirectFile(tmp_path / "file")


def test_files_of_one_thread_do_not_share_a_buffer(tmp_path):
    one, other = DirectFile(tmp_path / "one"), DirectFile(tmp_path / "other")
    for number in range(100):
        one.write(memoryview(bytes([number])))
        other.write(memoryview(bytes([255 - number])))
    one.close()
    other.close()
    assert (tmp_path / "one").read_bytes() == bytes(range(100))
    assert (tmp_path / "other").read_bytes() == bytes(range(255, 155, -1))
