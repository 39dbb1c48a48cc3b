"""PNG, JPEG and TIFF: depth, colour, tables of colour, transparency, pages."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from modality_assets.imaging.errors import DamagedImageError
from modality_assets.imaging.frames import Frame
from modality_assets.imaging.readers import read_frames

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
DEEP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
WEIGHTS = np.array([0.299, 0.587, 0.114])


def only(path: Path) -> Frame:
    (frame,) = read_frames(path)
    return frame


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_grey_of_8_and_16_bits_is_taken_as_stored(tmp_path: Path, name: str) -> None:
    for array, greatest in ((GREY, 255), (DEEP, 65535)):
        Image.fromarray(array).save(tmp_path / name)
        frame = only(tmp_path / name)
        np.testing.assert_array_equal(frame.stored, array)
        assert (frame.dtype_min, frame.dtype_max) == (0, greatest)


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_colour_of_8_and_16_bits_is_luminance(tmp_path: Path, name: str) -> None:
    for array, greatest in ((COLOUR, 255), (COLOUR.astype(np.uint16) * 257, 65535)):
        cv2.imwrite(str(tmp_path / name), array[..., ::-1])
        frame = only(tmp_path / name)
        np.testing.assert_allclose(frame.stored, array @ WEIGHTS, rtol=1e-12)
        assert frame.dtype_max == greatest


def test_transparency_is_left_out(tmp_path: Path) -> None:
    alpha = np.full((6, 8, 1), 7, np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], axis=-1)).save(tmp_path / "a.png")
    np.testing.assert_allclose(only(tmp_path / "a.png").stored, COLOUR @ WEIGHTS)
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha[..., 0])]).save(tmp_path / "b.png")
    np.testing.assert_array_equal(only(tmp_path / "b.png").stored, GREY)


def test_a_table_of_colours_is_looked_up(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOUR).quantize(8)
    picture.save(tmp_path / "a.png")
    np.testing.assert_allclose(only(tmp_path / "a.png").stored, np.asarray(picture.convert("RGB")) @ WEIGHTS)


def test_one_bit_has_the_range_of_one_bit(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    frame = only(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.stored, GREY > 100)
    assert frame.dtype_max == 1


def test_jpeg_grey_and_colour(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(np.repeat(GREY, 8, 0), 8, 1)).save(tmp_path / "grey.jpg", quality=95)
    grey = only(tmp_path / "grey.jpg").stored
    np.testing.assert_array_equal(grey, np.asarray(Image.open(tmp_path / "grey.jpg")))
    Image.fromarray(np.repeat(np.repeat(COLOUR, 8, 0), 8, 1)).save(tmp_path / "colour.jpg", quality=95)
    decoded = np.asarray(Image.open(tmp_path / "colour.jpg"))
    np.testing.assert_allclose(only(tmp_path / "colour.jpg").stored, decoded @ WEIGHTS)


def test_pages_of_a_tiff_are_frames(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    first, second = read_frames(tmp_path / "a.tiff")
    np.testing.assert_array_equal(second.stored, first.stored[::-1])


def test_a_tiff_of_floats_has_the_range_of_the_file(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.float32) / 3).save(tmp_path / "a.tiff")
    frame = only(tmp_path / "a.tiff")
    assert (frame.dtype_min, frame.dtype_max) == (0, pytest.approx(235 / 3))


def test_white_is_zero_is_inverted(tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "a.tiff", tiffinfo={262: 0})
    frame = only(tmp_path / "a.tiff")
    np.testing.assert_array_equal(frame.stored, 65535 - DEEP)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff"])
def test_a_truncated_picture_is_named(tmp_path: Path, name: str) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-600])
    with pytest.raises(DamagedImageError, match=name):
        list(read_frames(tmp_path / name))


@pytest.mark.parametrize(
    ("image", "low", "high"),
    [
        (DEEP.astype(np.int16) - 20000, -32768, 32767),
        (DEEP.astype(np.uint32) * 60000, 0, 2**32 - 1),
        (DEEP.astype(np.int32) - 20000, -(2**31), 2**31 - 1),
        (GREY.astype(np.int16).astype(np.int8), -128, 127),
    ],
    ids=lambda one: str(getattr(one, "dtype", "")),
)
def test_integers_of_a_tiff_keep_their_sign_and_the_limits_of_their_type(
    tmp_path: Path, image: np.ndarray, low: float, high: float
) -> None:
    cv2.imwrite(str(tmp_path / "a.tiff"), image)
    frame = only(tmp_path / "a.tiff")
    np.testing.assert_array_equal(frame.stored, image)
    assert (frame.dtype_min, frame.dtype_max) == (low, high)


def test_a_tiff_that_pillow_does_not_know_is_read(tmp_path: Path) -> None:
    pages = [DEEP / 7, DEEP / 9]
    cv2.imwritemulti(str(tmp_path / "doubles.tiff"), pages)
    found = list(read_frames(tmp_path / "doubles.tiff"))
    np.testing.assert_array_equal([frame.stored for frame in found], pages)
    assert {(frame.dtype_min, frame.dtype_max) for frame in found} == {(0, DEEP.max() / 7)}


def test_a_bigtiff_is_read(tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "a.tiff", big_tiff=True)
    assert (tmp_path / "a.tiff").read_bytes().startswith(b"II+")
    np.testing.assert_array_equal(only(tmp_path / "a.tiff").stored, DEEP)
