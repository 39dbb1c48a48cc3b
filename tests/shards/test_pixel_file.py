"""A pixel file gives back what was put in, and refuses what it is not."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.shards.codec import BLOSC2
from modality_assets.shards.pixel_file import PixelFileReader, PixelFileWriter, read_exactly


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from([8, 16]), st.sampled_from([None, BLOSC2]))
def test_what_is_written_is_read(tmp_path_factory, data, bits, compression):
    count, height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    images = random.integers(0, 2 ** data.draw(st.integers(0, bits)), (count, height, width)).astype(f"uint{bits}")
    path = tmp_path_factory.mktemp("pixels") / "pixels"
    with PixelFileWriter(path, count, (height, width), bits, compression) as file:
        for part in np.array_split(images, 3):
            file.append(part)
    assert file.bytes == path.stat().st_size
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if compression is None:
        assert (np.load(path) == images).all()
    reader = PixelFileReader(path, count, (height, width), bits, compression)
    rows = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20)))
    places = random.permutation(len(rows))
    out = np.zeros((len(rows), height, width), images.dtype)
    reader.take(rows, out, places)
    assert (out[places] == images[rows]).all()
    begin, end = reader.byte_ranges(np.arange(count))
    assert (begin[1:] == end[:-1]).all()
    assert (np.concatenate([part.copy() for _, part in reader.pieces(500)]) == images).all()


def test_the_header_is_the_one_numpy_writes(tmp_path):
    images = np.zeros((3, 5, 7), np.uint16)
    with PixelFileWriter(tmp_path / "ours.npy", 3, (5, 7), 16, None) as file:
        file.append(images)
    np.save(tmp_path / "theirs.npy", images)
    assert len((tmp_path / "ours.npy").read_bytes()) == len((tmp_path / "theirs.npy").read_bytes())
    assert np.load(tmp_path / "ours.npy", mmap_mode="r").offset % 64 == 0


def test_rows_that_were_announced_must_be_written(tmp_path):
    with (
        pytest.raises(ValueError, match="1 rows were announced"),
        PixelFileWriter(tmp_path / "short.npy", 3, (2, 2), 16, None) as file,
    ):
        file.append(np.zeros((2, 2, 2), np.uint16))


def test_a_file_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 4), np.uint16))
    with pytest.raises(ValueError, match=r"is not an array of shape \(3, 2, 8\)"):
        PixelFileReader(tmp_path / "a.npy", 3, (2, 8), 16, None)


def test_reading_past_the_end_is_an_error(tmp_path):
    (tmp_path / "short").write_bytes(b"abc")
    with (tmp_path / "short").open("rb") as file, pytest.raises(EOFError, match="ends at byte 3"):
        read_exactly(file.fileno(), memoryview(bytearray(8)), 0)
