"""The two tables of decoded images: a row an image with its provenance and facts, a row a refused file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.imaging.batch import FILE_FACTS, FileRecord
from modality_assets.imaging.errors import ConstantImageError
from modality_assets.imaging.quantised import FRAME_FACTS

IMAGES = "images.parquet"
QUARANTINE = "quarantine.parquet"

IMAGES_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(("dataset", "patient_id", "study_uid", "series_uid", "instance_uid"), pl.String()),
    "frame": pl.Int64(),  # from 0
    **dict.fromkeys(("source_file", "format", "modality", "body_part", "manufacturer", "licence"), pl.String()),
    **dict.fromkeys(("rows", "columns", "bits_stored"), pl.Int64()),
    "signed": pl.Boolean(),
    **dict.fromkeys(
        ("stored_min", "stored_max", "native_min", "native_max", "native_mean", "native_std"), pl.Float64()
    ),
    **dict.fromkeys(("unit", "pixel_file"), pl.String()),
    "pixel_index": pl.Int64(),
    **dict.fromkeys(("stored_dtype_min", "stored_dtype_max", "slope", "intercept"), pl.Float64()),
    **dict.fromkeys(("native_p01", "native_p99", "spacing_row_mm", "spacing_column_mm"), pl.Float64()),
    **dict.fromkeys(("window_center", "window_width"), pl.Float64()),
    **dict.fromkeys(("photometric", "transfer_syntax_uid"), pl.String()),
}
QUARANTINE_SCHEMA: dict[str, pl.DataType] = dict.fromkeys(
    ("dataset", "source_file", "stage", "error", "reason"), pl.String()
)

_OF_SOURCE = ("dataset", "patient_id", "study_uid", "series_uid", "modality", "body_part", "manufacturer", "licence")
_SHARED = (*_OF_SOURCE, "source_file", *FILE_FACTS)
_PLACE = ("pixel_file", "pixel_index")
_ROWS_PER_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to decode and what the catalogue knows of it; ``name`` is '<series_uid>/<file>', the row's identity."""

    dataset: str
    path: Path
    name: str
    patient_id: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    modality: str | None = None
    body_part: str | None = None
    manufacturer: str | None = None
    licence: str | None = None
    declared_format: str | None = None


class DecodedTables:
    """Gathers rows by chunk of 4096 images, so that a large dataset's facts stay small in memory."""

    def __init__(self, sources: Sequence[SourceFile]) -> None:
        self.images = self.unreadable = self.refused_frames = 0
        self.reasons: Counter[str] = Counter()
        self._sources = sources
        self._rows: list[tuple[Any, ...]] = []
        self._chunks: list[pl.DataFrame] = []
        self._quarantine: list[tuple[str, ...]] = []

    @property
    def quarantined(self) -> int:
        return len(self._quarantine)

    def add(self, record: FileRecord, places: Sequence[tuple[str, int]]) -> None:
        """Take in one file's record; ``places`` are the pixel file and index of each of its images."""
        source = self._sources[record.number]
        if record.error:
            self.unreadable += 1
            self._refuse(source, *record.error)
            return
        shared = {name: getattr(source, name) for name in _OF_SOURCE}
        shared |= {"source_file": printable(source.name)} | record.facts
        first = tuple(shared[name] for name in _SHARED)
        for frame, place in zip(record.frames, places, strict=True):
            self._rows.append((*first, *frame, *place))
        self.images += len(places)
        if len(self._rows) >= _ROWS_PER_CHUNK:
            self._flush()
        if record.constant:
            self.refused_frames += len(record.constant)
            self._refuse(
                source, ConstantImageError.stage, ConstantImageError.__name__, _constant_reason(source, record)
            )

    def write(self, staged: Path) -> None:
        """Write both tables into ``staged``."""
        self._flush()
        images = pl.concat(self._chunks) if self._chunks else pl.DataFrame(schema=IMAGES_SCHEMA)
        images.write_parquet(staged / IMAGES)
        pl.DataFrame(self._quarantine, schema=QUARANTINE_SCHEMA, orient="row").write_parquet(staged / QUARANTINE)

    def _refuse(self, source: SourceFile, stage: str, error: str, reason: str) -> None:
        told = reason.replace(f"{source.path.parent}/", "")  # the same file gives the same table under every data root
        self._quarantine.append((source.dataset, printable(source.name), stage, error, printable(told)))
        self.reasons[error] += 1

    def _flush(self) -> None:
        if self._rows:
            columns = dict(zip((*_SHARED, *FRAME_FACTS, *_PLACE), zip(*self._rows, strict=True), strict=True))
            series = [pl.Series(name, columns[name], kind, strict=False) for name, kind in IMAGES_SCHEMA.items()]
            self._chunks.append(pl.DataFrame(series))
            self._rows = []


def printable(name: str) -> str:
    """Return a file's name with U+FFFD for bytes that are not UTF-8, which Python keeps as surrogates."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _constant_reason(source: SourceFile, record: FileRecord) -> str:
    name, refused = Path(source.name).name, len(record.constant)
    total = refused + len(record.frames)
    if total == 1:
        return f"{name}: a constant image, every pixel is the same"
    return f"{name}: {refused} of {total} frames are constant images: {_runs(record.constant)}"


def _runs(numbers: Sequence[int]) -> str:
    """Return '0-8, 51' for [0, 1, ..., 8, 51]."""
    known = set(numbers)
    starts = [number for number in numbers if number - 1 not in known]
    ends = [number for number in numbers if number + 1 not in known]
    return ", ".join(f"{one}" if one == other else f"{one}-{other}" for one, other in zip(starts, ends, strict=True))
