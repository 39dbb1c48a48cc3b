"""PGM: binary and text, 8 and 16 bits, values as stored."""

from pathlib import Path

import numpy as np
import pytest

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError
from modality_assets.imaging.readers import read_frames

VALUES = np.arange(12).reshape(3, 4) * 300


@pytest.mark.parametrize("greatest", [255, 4095, 65535])
def test_values_are_not_stretched(tmp_path: Path, greatest: int) -> None:
    values = np.minimum(VALUES, greatest)
    data = values.astype(">u2" if greatest > 255 else "u1").tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P5\n# from a scanner\n4 3\n%d\n" % greatest + data)
    (tmp_path / "b.pgm").write_text(f"P2 4 3 {greatest}\n" + " ".join(map(str, values.ravel())))
    for name in ("a.pgm", "b.pgm"):
        (frame,) = read_frames(tmp_path / name)
        np.testing.assert_array_equal(frame.stored, values)
        assert (frame.dtype_min, frame.dtype_max) == (0, greatest)


def test_damage_is_named(tmp_path: Path) -> None:
    for text, error in (
        (b"P5 4 3 255\n" + bytes(11), DamagedImageError),
        (b"P2 4 3 255\n1 2 3", DamagedImageError),
        (b"P2 2 1 255\n1 700", DamagedImageError),
        (b"P5 0 3 255\n", DamagedImageError),
        (b"P5 4 3 70000\n" + bytes(24), DamagedImageError),
        (b"P5 four", DamagedImageError),
        (b"P5 99999999 99999999 255\n", AbsurdSizeError),
    ):
        (tmp_path / "a.pgm").write_bytes(text)
        with pytest.raises(error, match=r"a\.pgm"):
            read_frames(tmp_path / "a.pgm")


def test_comments_among_the_values_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P2\n# one\n3 2\n255\n1 2 3 # two\n# three 9\n4 5 6\n")
    (frame,) = read_frames(tmp_path / "a.pgm")
    np.testing.assert_array_equal(frame.stored, [[1, 2, 3], [4, 5, 6]])
