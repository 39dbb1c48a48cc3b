import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from modality_assets.archives.written import PIECE, pieces_of, write_hashed


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 7])
def test_what_is_hashed_is_what_is_written(size: int, tmp_path: Path) -> None:
    data = bytes(index % 251 for index in range(size))
    (tmp_path / "source").write_bytes(data)
    seen: list[int] = []
    with (tmp_path / "source").open("rb") as file:
        written = write_hashed(tmp_path / "target", pieces_of(file), seen.append)
    assert (tmp_path / "target").read_bytes() == data
    assert written.size_bytes == sum(seen) == size
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert written.md5 == hashlib.md5(data).hexdigest()


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"first")
    with pytest.raises(FileExistsError):
        write_hashed(tmp_path / "target", [b"second"])


def test_an_md5_nobody_asked_for_is_not_made(tmp_path: Path) -> None:
    assert write_hashed(tmp_path / "target", [b"x"], md5=False).md5 is None


def test_the_series_is_known_from_the_bytes_that_were_written(make_dicom: Callable[..., bytes], tmp_path: Path) -> None:
    data = make_dicom("1.2.3.4")
    assert write_hashed(tmp_path / "1.dcm", [data]).series_uid == "1.2.3.4"
    assert write_hashed(tmp_path / "2.dcm", [data[:200], data[200:]]).series_uid is None
    assert write_hashed(tmp_path / "3.dcm", [b"no DICOM"]).series_uid is None
