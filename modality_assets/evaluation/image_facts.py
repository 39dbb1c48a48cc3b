"""The decoded tables' rows of given images, in the order of a shard."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from modality_assets.evaluation.errors import UnknownImagesError

IMAGE = ("dataset", "source_file", "frame")
"""What names an image among all decoded images."""


def rows_of_images(provenance: np.ndarray, images: Iterable[pl.DataFrame], columns: Sequence[str]) -> pl.DataFrame:
    """Return ``columns`` of the tables of decoded images for each row of a shard's ``provenance`` (N,), in its order.

    Raises `UnknownImagesError` for images that the tables do not hold or hold twice.
    """
    return with_image_facts(pl.DataFrame({key: text_column(provenance[key]) for key in IMAGE}), images, columns)


def with_image_facts(table: pl.DataFrame, images: Iterable[pl.DataFrame], columns: Sequence[str]) -> pl.DataFrame:
    """Return ``table``, which has the columns `IMAGE`, with those ``columns`` of ``images`` that it lacks, in order."""
    wanted = [pl.col("frame").cast(pl.Int64) if name == "frame" else pl.col(name) for name in _unique(*IMAGE, *columns)]
    tables = [frame.select(wanted) for frame in images]
    if not tables:
        raise UnknownImagesError("there is no table of decoded images: materialise decoded_images first")
    facts = pl.concat(tables, how="vertical_relaxed").with_columns(known=pl.lit(True))
    try:
        joined = table.join(facts, on=list(IMAGE), how="left", validate="m:1", maintain_order="left")
    except pl.exceptions.ComputeError as error:
        raise UnknownImagesError(f"a table of decoded images holds the same image twice ({error})") from None
    unknown = joined.filter(pl.col("known").is_null())
    if len(unknown):
        first = unknown.row(0, named=True)
        raise UnknownImagesError(
            f"{len(unknown)} of {len(joined)} predicted images are not among the decoded images, the first of them "
            f"{first['source_file']!r}, frame {first['frame']}, of dataset {first['dataset']!r}: "
            "the shards are older than the images; materialise rescaled_shards again"
        )
    return joined.drop("known")


def text_column(values: np.ndarray) -> pl.Series:
    """Return one field of a provenance array: bytes as UTF-8 text, numbers as Int64."""
    if values.dtype.kind == "S":
        return pl.Series(values.tolist(), dtype=pl.Binary).cast(pl.String)
    if values.dtype.kind == "U":
        return pl.Series(values.tolist(), dtype=pl.String)
    return pl.Series(np.ascontiguousarray(values)).cast(pl.Int64)


def _unique(*names: str) -> list[str]:
    return list(dict.fromkeys(names))
