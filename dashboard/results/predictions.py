"""Single predictions and the images behind them; of millions, only those that are shown are read."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dashboard.results.kept import manifest_of, stamp
from dashboard.results.models import Model, ModelResults
from modality_assets.manifest import whole
from modality_assets.modality import CLASSES

CONFIDENCE = pl.max_horizontal(*(f"p_{name}" for name in CLASSES)).cast(pl.Float64)


@dataclass(frozen=True)
class Wanted:
    """Which predictions: empty filters let everything pass; ``wrong`` None means right and wrong ones."""

    split: str
    datasets: tuple[str, ...] = ()
    actual: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    wrong: bool | None = None
    confidence: tuple[float, float] = (0.0, 1.0)
    surest_first: bool = True

    def filter(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Apply the filters that need no more than two columns each."""
        rows = rows.filter(pl.col("split") == self.split)
        for column, wanted in (("dataset", self.datasets), ("actual", self.actual), ("predicted", self.predicted)):
            rows = rows.filter(pl.col(column).is_in([*wanted])) if wanted else rows
        if self.wrong is not None:
            rows = rows.filter((pl.col("actual") != pl.col("predicted")) == self.wrong)
        low, high = self.confidence
        return rows.filter(CONFIDENCE.is_between(low, high)) if (low, high) != (0.0, 1.0) else rows


class PredictionResults:
    """What the tables of predictions and the decoded images hold."""

    def __init__(self, models: ModelResults) -> None:
        self.models, self.layout = models, models.layout

    def find(self, model: Model, wanted: Wanted, *, start: int = 0, most: int = 24) -> tuple[pl.DataFrame, int]:
        """Return ``most`` predictions that meet the filters, by confidence, from ``start`` on, and how many there are.

        ``row`` is the row in the table, ``row_in_split`` the one in the shards.
        """
        path = model.report / "predictions.parquet"
        kind = self.models.main_evidence(model)
        order = _in_order(*stamp(path), kind, wanted)
        chosen = order[start : start + most]
        return self.at(model, chosen["row"].to_list()), len(order)

    def at(self, model: Model, rows: Iterable[int]) -> pl.DataFrame:
        """Return the predictions in ``rows`` of a model's table, in that order."""
        path = model.report / "predictions.parquet"
        wanted = pl.DataFrame({"row": [*rows]}, schema={"row": pl.UInt32})
        table = pl.scan_parquet(path, row_index_name="row")
        wide = table.filter(pl.col("row").is_in(wanted["row"].implode())).with_columns(confidence=CONFIDENCE)
        first = _first_rows(*stamp(path))
        found = wanted.join(wide.collect(engine="streaming"), on="row", maintain_order="left")
        found = found.join(first, on=["split", "evidence"], how="left", maintain_order="left")
        return found.with_columns(row_in_split=pl.col("row").cast(pl.Int64) - pl.col("first")).drop("first")

    def pictures(self, rows: pl.DataFrame, rescaling: str) -> tuple[list[np.ndarray | None], bool]:
        """Return for each prediction its image (H, W) float32 in [0, 1], and whether all are as the model saw them.

        A model sees them under ``rescaling``; where its shards are not there any more, pictures are rescaled by
        their own range. An image is None where the decoded dataset does not hold it any more.
        """
        found: list[np.ndarray | None] = [None] * len(rows)
        as_seen = True
        wanted = rows.select("dataset", "source_file", "frame", "split", "row_in_split").with_row_index("at")
        for (dataset,), some in wanted.group_by("dataset"):
            folder = whole(self.layout.decoded(str(dataset)))
            if manifest_of(folder) is None:
                continue
            places = (
                pl.scan_parquet(folder / "images.parquet")
                .select("source_file", "frame", "pixel_file", "pixel_index")
                .filter(pl.col("source_file").is_in(some["source_file"].unique().implode()))
                .collect()
                .join(some, on=["source_file", "frame"])
            )
            for place in places.iter_rows(named=True):
                pixels = np.load(folder / place["pixel_file"], mmap_mode="r")
                picture = np.asarray(pixels[place["pixel_index"]], dtype=np.float32) / 65535
                if rescaling != "image_range":
                    scale_and_offset = self._affine(rescaling, place)
                    as_seen &= scale_and_offset is not None
                    if scale_and_offset is not None:
                        picture = picture * scale_and_offset[0] + scale_and_offset[1]
                found[place["at"]] = picture.clip(0, 1)
        return found, as_seen

    def _affine(self, rescaling: str, place: dict[str, Any]) -> tuple[float, float] | None:
        """Scale and offset of one image's rescaling, from the shard row that its prediction was made of."""
        folder = self.layout.shards(rescaling, place["split"])
        row = place["row_in_split"]
        if manifest_of(folder) is None:
            return None
        origin = np.load(folder / "provenance.npy", mmap_mode="r")
        if row >= len(origin):
            return None
        same_file = origin[row]["source_file"].decode() == place["source_file"]
        if not same_file or origin[row]["frame"] != place["frame"]:
            return None
        scale, offset = np.load(folder / "affine.npy", mmap_mode="r")[row]
        return float(scale), float(offset)


@lru_cache(maxsize=24)
def _in_order(path: Path, _written: int, kind: str | None, wanted: Wanted) -> pl.DataFrame:
    """The rows that meet the filters, by confidence: 12 bytes for each, so that turning pages reads nothing again."""
    rows = pl.scan_parquet(path, row_index_name="row")
    if kind is not None:
        rows = rows.filter(pl.col("evidence") == kind)
    narrow = wanted.filter(rows).select("row", confidence=CONFIDENCE).collect(engine="streaming")
    return narrow.sort("confidence", "row", descending=[wanted.surest_first, False])


@lru_cache(maxsize=32)
def _first_rows(path: Path, _written: int) -> pl.DataFrame:
    """The first row of each split under each kind of evidence: from there on rows are in the order of the shards."""
    table = pl.scan_parquet(path, row_index_name="row")
    starts = table.group_by("split", "evidence").agg(first=pl.col("row").min().cast(pl.Int64))
    return starts.collect(engine="streaming")
