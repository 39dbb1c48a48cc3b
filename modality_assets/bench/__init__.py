"""Repeatable measurements, each with its baseline in the same run."""

import os
import platform
from importlib import import_module
from typing import Any

BENCHES = ("preprocess", "shards", "loader", "train", "download", "dashboard")
"""Each is a module of this room with one public function, ``bench_<name>``."""


def run_bench(name: str) -> dict[str, Any]:
    """Run one measurement and describe the machine; ratios to the baseline have keys that end in ``_ratio``."""
    if name not in BENCHES:
        raise ValueError(f"unknown measurement {name!r}: there are {', '.join(BENCHES)}")
    figures: dict[str, Any] = getattr(import_module(f"{__name__}.{name}"), f"bench_{name}")()
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    return {"bench": name, "machine": machine, **figures}
