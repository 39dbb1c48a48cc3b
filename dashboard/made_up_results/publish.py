"""One made-up result, written as real ones are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from modality_assets.manifest import describe, publish_files, publish_folder, staging


def publish(
    folder: Path,
    asset: str,
    partition: str | None,
    contents: Mapping[str, Any],
    counts: dict[str, Any],
    shared: str | None = None,
) -> None:
    """Write ``contents`` (tables, arrays, JSON-able values by file name) as one finished result."""
    with staging(folder) as staged:
        for name, value in contents.items():
            if isinstance(value, pl.DataFrame):
                value.write_parquet(staged / name)
            elif isinstance(value, np.ndarray):
                np.save(staged / name, value)
            else:
                (staged / name).write_text(json.dumps(value))
        manifest = describe(
            staged,
            asset=asset,
            partition=partition,
            input_hash="made up",
            code_version="made up",
            run_id="made up",
            seconds=1.0,
            counts=counts,
        )
        if shared is None:
            publish_folder(staged, folder, manifest)
        else:
            publish_files(staged, folder, manifest, shared)
