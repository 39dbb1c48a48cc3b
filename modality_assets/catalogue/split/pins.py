"""Pins: datasets whose split somebody has decided, and those that an earlier plan has placed."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from modality_assets.catalogue.split.errors import PinConflictError, PinFileError


def read_pins(path: Path) -> dict[str, str]:
    """Return dataset to split from a CSV file with the columns dataset and split.

    Raises `PinFileError` where the file cannot be read, lacks a column, or leaves a value out, and
    `PinConflictError` where it gives one dataset two splits.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise PinFileError(
            f"{path}: cannot be read as a pins file ({error}); it is a CSV file with dataset,split"
        ) from None
    return pins_from(table, str(path))


def pins_from(table: pl.DataFrame, where: str = "the pins") -> dict[str, str]:
    """Return dataset to split from a table with these columns; raises as `read_pins` does."""
    for name in ("dataset", "split"):
        if name not in table.columns:
            raise PinFileError(f"{where}: there is no column {name!r}; a pins table has dataset and split")
    rows: Iterable[tuple[str | None, str | None]] = table.select(
        pl.col("dataset", "split").cast(pl.String).str.strip_chars()
    ).iter_rows()
    pins: dict[str, str] = {}
    for number, (dataset, split) in enumerate(rows, start=1):
        if not dataset or not split:
            raise PinFileError(f"{where}: row {number} lacks a dataset or a split")
        if pins.setdefault(dataset, split) != split:
            raise PinConflictError(
                f"{where}: {dataset!r} is pinned to {pins[dataset]} and to {split}; keep one of the two"
            )
    return pins


def placed_before(previous: pl.DataFrame | None) -> dict[str, str]:
    """Return dataset to split of an earlier plan's table, nothing where there is none; raises as `pins_from` does."""
    return {} if previous is None else pins_from(previous, "the earlier plan")
