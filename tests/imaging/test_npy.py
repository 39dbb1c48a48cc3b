"""NPY: stacks, colour, booleans, byte order, and no pickles."""

from pathlib import Path

import numpy as np
import pytest

from modality_assets.imaging.errors import DamagedImageError, UnsupportedPixelsError
from modality_assets.imaging.readers import read_frames

STACK = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


def test_frames_lie_along_the_leading_axes(tmp_path: Path) -> None:
    for array, count in ((STACK[0], 1), (STACK, 3), (np.stack([STACK, STACK]), 6)):
        np.save(tmp_path / "a.npy", array)
        frames = list(read_frames(tmp_path / "a.npy"))
        assert len(frames) == count
        np.testing.assert_array_equal(frames[-1].stored, array.reshape(-1, 4, 5)[-1])
        assert (frames[0].dtype_min, frames[0].dtype_max) == (-32768, 32767)


def test_other_byte_orders_and_booleans_are_read(tmp_path: Path) -> None:
    for array in (STACK[0].astype(">i2"), STACK[0] > 7):
        np.save(tmp_path / "a.npy", array)
        (frame,) = read_frames(tmp_path / "a.npy")
        np.testing.assert_array_equal(frame.stored, array)
        assert frame.stored.dtype.isnative


def test_three_bytes_a_pixel_are_colour(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 5, 3), (10, 20, 30), np.uint8))
    (frame,) = read_frames(tmp_path / "a.npy")
    np.testing.assert_allclose(frame.stored, 0.299 * 10 + 0.587 * 20 + 0.114 * 30)


def test_objects_text_and_lines_are_refused(tmp_path: Path) -> None:
    for array, error in (
        (np.array([{"a": 1}], object), DamagedImageError),
        (np.array(["text"]), UnsupportedPixelsError),
        (np.arange(5), DamagedImageError),
        (np.zeros((0, 5, 5)), DamagedImageError),
    ):
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
        with pytest.raises(error, match=r"a\.npy"):
            read_frames(tmp_path / "a.npy")
