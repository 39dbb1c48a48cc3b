"""What PyTorch's memory on the CPU costs, counted in page faults and not in seconds."""

import ctypes
import resource

import pytest
import torch

from modality_assets.learning.devices import freed_memory_kept

BYTES = 128 << 20

needs_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")


def faults_of_a_large_tensor() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(BYTES, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def keep_and_fail() -> None:
    with freed_memory_kept(torch.device("cpu")):
        faults_of_a_large_tensor()
        raise ValueError("mine")


@needs_glibc
def test_a_freed_tensor_serves_the_next_one_within_the_block_and_is_given_back_after_it() -> None:
    fresh = faults_of_a_large_tensor()
    with freed_memory_kept(torch.device("cpu")):
        # a small block may have settled beside a freed one, which then is a little too small
        assert min(faults_of_a_large_tensor() for _ in range(5)) < 0.1 * fresh
    assert faults_of_a_large_tensor() > 0.9 * fresh


@needs_glibc
def test_an_error_gives_the_memory_back_too() -> None:
    fresh = faults_of_a_large_tensor()
    with pytest.raises(ValueError, match="mine"):
        keep_and_fail()
    assert faults_of_a_large_tensor() > 0.9 * fresh


def test_on_a_gpu_nothing_is_changed() -> None:
    fresh = faults_of_a_large_tensor()
    with freed_memory_kept(torch.device("cuda")):
        assert min(faults_of_a_large_tensor() for _ in range(5)) > 0.9 * fresh
