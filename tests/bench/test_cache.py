"""Files are really out of the page cache when a measurement begins, where the system can tell."""

import os

import pytest

from modality_assets.bench.cache import drop_caches, forget, memcpy_gb_per_s, sequential_read_seconds


def test_a_forgotten_file_is_not_in_memory(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    assert sequential_read_seconds([path]) > 0
    forget([path])
    with path.open("rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 1 << 19, os.RWF_NOWAIT)
        except BlockingIOError:
            return  # it would have to come from the disk
        except OSError:
            pass
    pytest.skip("this file system keeps files in memory, or cannot tell")


def test_copying_memory_has_a_speed():
    assert memcpy_gb_per_s(1 << 20) > 0


def test_who_may_ask_the_kernel_to_forget_everything_does(tmp_path):
    switch = tmp_path / "drop_caches"
    assert drop_caches([], switch) == "drop_caches"
    assert switch.read_text() == "3"
    assert drop_caches([], tmp_path / "nothing" / "here") == "posix_fadvise"
