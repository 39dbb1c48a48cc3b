"""Where a run computes, with which precision, how repeatable it is there, and what memory it holds on to."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch.utils import deterministic

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; 'auto' is this rank's CUDA GPU where there is one, else the CPU."""
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return ``tensor`` of the CPU on ``device``, without waiting for what a GPU still has to do before it."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the type in which convolutions and matrix products run, None for plain float32.

    'auto' is bf16 on GPUs that have it and fp16 on older ones; on the CPU bf16 where the processor has
    instructions for it (it is slower than float32 elsewhere), so weights differ between kinds of processor.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.bfloat16 if _cpu_has_bf16() else None
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _cpu_has_bf16() -> bool:
    # Underscored in PyTorch, and what its own compiler asks.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def repeatable(device: torch.device, threads: int | None) -> Iterator[None]:
    """Make the same seed give the same weights within this block, and leave PyTorch as it was afterwards.

    On the CPU that needs deterministic algorithms and the same number of threads: the order in which
    sums are split over threads changes the last bits. ``threads`` None keeps the number in force. On a
    GPU the fastest algorithms are chosen instead, and repeated runs agree only to rounding.
    """
    algorithms, fill = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    threads_before, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        if device.type == "cpu":
            torch.use_deterministic_algorithms(True)
            deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a search for bugs that costs time
            if threads is not None and threads != threads_before:
                torch.set_num_threads(threads)
        else:
            torch.backends.cudnn.benchmark = True
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms)
        deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark
        if torch.get_num_threads() != threads_before:
            torch.set_num_threads(threads_before)


@contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Let what a network frees within this block serve its next layer, and give it back to the system afterwards.

    glibc returns every block above 32 MiB to the kernel when it is freed, and the kernel clears its pages before
    the next layer may have them: up to half the time of a network on the CPU. Peak memory grows by what lies
    unused between blocks (ResNet-18 and DenseNet-121 1 %, VGG16 17 %). It holds for the whole process. Does nothing
    on a GPU, whose allocator keeps what it has, and with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if device.type != "cpu" or mallopt is None:
        yield
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        mallopt(_M_MMAP_MAX, 65536)  # glibc's own
        mallopt(_M_TRIM_THRESHOLD, 64 << 20)  # what glibc itself arrives at once a block of 32 MiB was freed
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that the device has no memory left; the CPU's allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
