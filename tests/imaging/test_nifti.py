"""NIfTI: scaling, orientation, time, colour, damage."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError, UnsupportedPixelsError
from modality_assets.imaging.readers import read_frames

RAS = np.diag([2.0, 3.0, 4.0, 1.0])
VOLUME = np.arange(5 * 6 * 4, dtype=np.int16).reshape(5, 6, 4)


def write(path: Path, array: np.ndarray, affine: np.ndarray = RAS, *, second: bool = False) -> Path:
    kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    nibabel.save(kind(array, affine), path)
    return path


@pytest.mark.parametrize("name", ["volume.nii", "volume.nii.gz"])
@pytest.mark.parametrize("second", [False, True])
def test_slices_run_along_the_last_axis_and_lie_as_in_dicom(tmp_path: Path, name: str, second: bool) -> None:
    frames = list(read_frames(write(tmp_path / name, VOLUME, second=second)))
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        # x to the right and y to the front: rows run to the back, columns to the left
        np.testing.assert_array_equal(frame.stored, VOLUME[::-1, ::-1, index].T)
        assert (frame.spacing_row_mm, frame.spacing_column_mm) == (3, 2)
        assert (frame.dtype_min, frame.dtype_max) == (-32768, 32767)


def test_slope_and_intercept_give_native_intensities(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME.astype(np.uint8), RAS)
    image.header.set_slope_inter(0.5, -3)
    raw = image.to_bytes()
    (tmp_path / "scaled.nii").write_bytes(raw)
    image = nibabel.load(tmp_path / "scaled.nii")
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    frames = list(read_frames(tmp_path / "scaled.nii"))
    native = np.asarray(image.dataobj)
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.native(), native[::-1, ::-1, index].T, rtol=1e-6)


def test_four_dimensions_give_one_volume_after_the_other(tmp_path: Path) -> None:
    array = np.arange(5 * 6 * 4 * 3, dtype=np.int16).reshape(5, 6, 4, 3)
    frames = list(read_frames(write(tmp_path / "time.nii", array)))
    assert len(frames) == 12
    np.testing.assert_array_equal(frames[4 + 2].stored, array[::-1, ::-1, 2, 1].T)


def test_floats_have_the_range_of_the_file_and_no_holes(tmp_path: Path) -> None:
    array = np.linspace(-1, 8, 5 * 6 * 4).reshape(5, 6, 4).astype(np.float32)
    array[2, 2, 1] = np.nan
    frames = list(read_frames(write(tmp_path / "float.nii", array)))
    assert (frames[0].dtype_min, frames[0].dtype_max) == (-1, 8)
    assert frames[1].stored[3, 2] == np.nanmin(array[:, :, 1])


def test_a_colour_volume_becomes_luminance(tmp_path: Path) -> None:
    colour = np.zeros((5, 6, 4), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    colour["R"], colour["G"], colour["B"] = 10, 20, 30
    first, *_ = read_frames(write(tmp_path / "colour.nii", colour))
    np.testing.assert_allclose(first.stored, 0.299 * 10 + 0.587 * 20 + 0.114 * 30)
    assert first.dtype_max == 255


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedPixelsError, match="complex"):
        read_frames(write(tmp_path / "complex.nii", VOLUME.astype(np.complex64)))


def test_a_truncated_volume_is_named(tmp_path: Path) -> None:
    for name in ("short.nii", "short.nii.gz"):
        path = write(tmp_path / name, VOLUME)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(DamagedImageError, match="short"):
            list(read_frames(path))


def test_an_absurd_shape_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.nii", VOLUME)
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([32767, 32767, 32767], "<i2").tobytes()
    path.write_bytes(data)
    with pytest.raises(AbsurdSizeError, match="32767"):
        read_frames(path)


def test_gzipped_other_things_are_no_image(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "text.gz").write_bytes(gzip.compress(b"no image" * 100))
    with pytest.raises(DamagedImageError, match=r"text\.gz"):
        read_frames(tmp_path / "text.gz")


@pytest.mark.real_archive
def test_the_receptor_atlas_has_481_slices_with_content(real_archive: Path) -> None:
    files = sorted((real_archive / "RECEPTOR-ATLAS").rglob("*.nii"))
    frames = [frame.stored for path in files for frame in read_frames(path)]
    assert (len(files), len(frames), sum(frame.min() < frame.max() for frame in frames)) == (9, 593, 481)


@pytest.mark.parametrize(("name", "kind"), [("a.nii", "nameless"), ("a.nii.gz", "image.dcm"), ("a.nii", "b.NII")])
def test_what_the_bytes_say_wins_over_the_name(tmp_path: Path, name: str, kind: str) -> None:
    path = write(tmp_path / name, VOLUME).rename(tmp_path / kind)
    found = read_frames(path)
    assert found.facts.format == "NIfTI"
    np.testing.assert_array_equal([frame.stored for frame in found], VOLUME[::-1, ::-1].transpose(2, 1, 0))
