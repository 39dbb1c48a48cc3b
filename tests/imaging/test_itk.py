"""NRRD and MetaImage: orientation, time, components, and pixels that lie elsewhere."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from modality_assets.imaging.errors import DamagedImageError
from modality_assets.imaging.readers import read_frames

VOLUME = np.arange(4 * 6 * 5, dtype=np.int16).reshape(4, 6, 5)  # z, y, x


def write(path: Path, array: np.ndarray, *, vector: bool = False, direction: tuple[float, ...] | None = None) -> Path:
    image = SimpleITK.GetImageFromArray(array, isVector=vector)
    image.SetSpacing((2.0, 3.0, 4.0, 1.0)[: image.GetDimension()])
    if direction:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize(("name", "kind"), [("a.nrrd", "NRRD"), ("a.mha", "MetaImage"), ("a.mhd", "MetaImage")])
def test_slices_lie_as_stored_in_lps(tmp_path: Path, name: str, kind: str) -> None:
    found = read_frames(write(tmp_path / name, VOLUME))
    assert (found.facts.format, len(found)) == (kind, 4)
    for index, frame in enumerate(found):
        np.testing.assert_array_equal(frame.stored, VOLUME[index])
        assert (frame.spacing_row_mm, frame.spacing_column_mm) == (3, 2)


def test_a_volume_written_towards_the_front_is_turned(tmp_path: Path) -> None:
    first, *_ = read_frames(write(tmp_path / "a.nrrd", VOLUME, direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1)))
    np.testing.assert_array_equal(first.stored, VOLUME[0, ::-1, ::-1])


def test_four_dimensions_give_one_volume_after_the_other(tmp_path: Path) -> None:
    array = np.arange(3 * 4 * 6 * 5, dtype=np.int16).reshape(3, 4, 6, 5)
    path = tmp_path / "time.nrrd"
    image = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(volume) for volume in array])
    SimpleITK.WriteImage(image, str(path))
    frames = list(read_frames(path))
    assert len(frames) == 12
    np.testing.assert_array_equal(frames[4 + 2].stored, array[1, 2])


def test_components_are_frames_unless_they_are_colours(tmp_path: Path) -> None:
    directions = np.arange(4 * 6 * 5 * 7, dtype=np.int16).reshape(4, 6, 5, 7)
    frames = list(read_frames(write(tmp_path / "diffusion.nrrd", directions, vector=True)))
    assert len(frames) == 28
    np.testing.assert_array_equal(frames[4 + 1].stored, directions[1, :, :, 1])
    colour = np.full((4, 6, 5, 3), (10, 20, 30), np.uint8)
    (first, *rest) = read_frames(write(tmp_path / "colour.nrrd", colour, vector=True))
    assert len(rest) == 3
    np.testing.assert_allclose(first.stored, 0.299 * 10 + 0.587 * 20 + 0.114 * 30)


@pytest.mark.parametrize("elsewhere", ["../secret.raw", "/etc/passwd", "LIST", "file%03d.raw 1 3 1"])
def test_pixels_outside_the_folder_are_not_read(tmp_path: Path, elsewhere: str) -> None:
    path = write(tmp_path / "a.mhd", VOLUME)
    path.write_text(path.read_text().replace("ElementDataFile = a.raw", f"ElementDataFile = {elsewhere}"))
    with pytest.raises(DamagedImageError, match="beside it"):
        read_frames(path)


def test_detached_nrrd_pixels_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    header = (
        "NRRD0004\ntype: short\ndimension: 2\nsizes: 4 4\nencoding: raw\nendian: little\ndata file: ../../x.raw\n\n"
    )
    (tmp_path / "a.nrrd").write_text(header)
    with pytest.raises(DamagedImageError, match="beside it"):
        read_frames(tmp_path / "a.nrrd")


def test_a_truncated_volume_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "short.mha", VOLUME)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedImageError, match="short"):
        list(read_frames(path))
