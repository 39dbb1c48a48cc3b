"""Decoded images: blurred discs."""

import numpy as np
import polars as pl

from dashboard.made_up_results.publish import publish
from modality_assets.layout import DataLayout

_DIFFERENT_PIXELS = 64


def write_decoded(layout: DataLayout, images: pl.DataFrame, side: int, chance: np.random.Generator) -> None:
    """Decoded datasets; more images than `_DIFFERENT_PIXELS` share pixels."""
    across, down = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    for number, ((dataset,), some) in enumerate(images.group_by("dataset", maintain_order=True)):
        radius = 0.3 + 0.5 * chance.random((min(_DIFFERENT_PIXELS, len(some)), 1, 1))
        inside = np.clip(1.5 - np.hypot(across, 1.3 * down)[None] / radius, 0, 1)
        pixels = np.round(65535 * np.clip(inside + 0.04 * chance.standard_normal(inside.shape), 0, 1)).astype(np.uint16)
        table = some.select("dataset", "source_file", "frame").with_columns(
            pixel_file=pl.lit("pixels-00000.npy"), pixel_index=pl.int_range(pl.len()) % len(pixels)
        )
        refused = {"dataset": str(dataset), "source_file": "bad/1.dcm", "stage": "read", "error": "DamagedImageError"}
        rows = [{**refused, "reason": "1.dcm: shorter than its header says (made up)"}] if number == 0 else []
        quarantine = pl.DataFrame(rows, schema=dict.fromkeys([*refused, "reason"], pl.String))
        counts = {"images": len(some), "quarantined": len(rows)}
        contents = {"images.parquet": table, "quarantine.parquet": quarantine, "pixels-00000.npy": pixels}
        publish(layout.decoded(str(dataset)), "decoded_images", str(dataset), contents, counts)
