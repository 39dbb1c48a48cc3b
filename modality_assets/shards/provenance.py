"""Where each row came from, as one structured array of fixed-width UTF-8 bytes, readable with numpy alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modality_assets.shards.index import PROVENANCE, PROVENANCE_NUMBERS, PROVENANCE_TEXTS
from modality_assets.shards.selection import IMAGES, SelectedDataset


def write_provenance(
    staged: Path, selected: Sequence[SelectedDataset], dataset: NDArray[np.int64], row: NDArray[np.int64]
) -> None:
    """Write provenance.npy: row i describes row ``row[i]`` of ``selected[dataset[i]]``.

    One dataset's texts are in memory at a time; they are written to their final, scattered places.
    """
    widths = {name: max(1, *(one.text_bytes[name] for one in selected)) for name in PROVENANCE_TEXTS}
    dtype = np.dtype(
        [(name, f"S{widths[name]}") for name in PROVENANCE_TEXTS] + [(name, "<i8") for name in PROVENANCE_NUMBERS]
    )
    np.lib.format.open_memmap(staged / PROVENANCE, mode="w+", dtype=dtype, shape=(len(row),))
    for number, one in enumerate(selected):
        table = pl.read_parquet(one.folder / IMAGES, columns=[*PROVENANCE_TEXTS, *PROVENANCE_NUMBERS])[one.table_rows]
        texts = np.zeros(table.height, dtype)
        for name in PROVENANCE_TEXTS:
            values = table[name].cast(pl.String).fill_null("").to_list()
            texts[name] = [value.encode() for value in values]
        for name in PROVENANCE_NUMBERS:
            texts[name] = table[name].cast(pl.Int64).fill_null(-1).to_numpy()
        places = np.flatnonzero(dataset == number)
        # mapped anew for each dataset: pages of earlier ones belong to the kernel again, not to this process
        written = np.load(staged / PROVENANCE, mmap_mode="r+", allow_pickle=False)
        written[places] = texts[row[places]]
        del written
