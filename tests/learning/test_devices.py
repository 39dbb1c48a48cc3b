"""What PyTorch's memory on the CPU costs, counted in page faults and not in seconds."""

import ctypes
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")

# In a process of its own, whose heap has no holes that other tests left.
COUNT = """
import json, resource, sys, torch
from modality_assets.learning.devices import freed_memory_kept

network = torch.nn.Sequential(*(torch.nn.Conv2d(n, 64, 3, padding=1) for n in (1, 64, 64, 64)))
images = torch.rand(64, 1, 64, 64)  # what lies between two layers has 64 MiB

@torch.inference_mode()
def faults():
    counts = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        network(images)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(counts)

counts = [faults()]
try:
    with freed_memory_kept(torch.device(sys.argv[1])):
        counts.append(faults())
        raise ValueError("also on the way out of an error")
except ValueError:
    counts.append(faults())
print(json.dumps(counts))
"""


def count(device: str) -> list[int]:
    """Return the page faults that a pass of a network costs before, within and after the block."""
    done = subprocess.run([sys.executable, "-c", COUNT, device], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_freed_memory_serves_the_next_layer_within_the_block_and_is_given_back_after_it():
    before, within, after = count("cpu")
    assert within < 0.1 * before
    assert after > 0.9 * before


def test_on_a_gpu_nothing_is_changed():
    before, within, after = count("cuda")
    assert min(within, after) > 0.9 * before
