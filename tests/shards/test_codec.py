"""Compressed images come back exactly; where the library is missing, that is said."""

import sys

import numpy as np
import pytest

from modality_assets.shards.codec import CodecMissingError, RowCodec


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_comes_back_exactly(dtype):
    image = (np.hypot(*np.mgrid[:64, :64])).astype(dtype)
    codec = RowCodec()
    frame = codec.encode(image)
    back = np.empty_like(image)
    codec.decode_into(frame, back)
    assert (back == image).all()
    assert len(frame) < image.nbytes


def test_a_frame_of_another_size_is_refused():
    codec = RowCodec()
    frame = codec.encode(np.zeros((8, 8), np.uint16))
    for wrong, size in ((frame, 4), (frame, 16), (b"", 8), (bytes(200), 8), (frame[:-1], 8), (frame + b"x", 8)):
        with pytest.raises(ValueError, match="compressed image"):
            codec.decode_into(wrong, np.empty((size, size), np.uint16))


def test_a_machine_without_the_library_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(CodecMissingError, match="pip install blosc2"):
        RowCodec()
