"""An archive in memory: what tests use in place of a network, and the shortest example of the protocol."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.archives.archive import Delivery, FileFacts, SeriesNotFoundError
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.manifest import digest
from modality_assets.progress import SILENT, Progress


class MemoryArchive:
    """Series rows and their bytes.

    ``series`` are rows of `RAW_SERIES_SCHEMA` (missing columns are null); ``contents`` maps a series UID
    to file name to bytes. Counts and sizes that a row leaves out are taken from the bytes. Both may be
    changed while the archive is open, as an archive on the network may change. ``fetched`` lists the
    series UIDs asked for, in order.
    """

    def __init__(
        self,
        series: list[dict[str, Any]],
        contents: Mapping[str, dict[str, bytes]],
        *,
        pins: Mapping[str, str] | None = None,
        name: str = "memory",
        synthetic: bool = False,
    ) -> None:
        self.name = name
        self.synthetic = synthetic
        self.series = series
        self.contents = dict(contents)
        self.fetched: list[str] = []
        self._pins = pins

    def version(self) -> str:
        hashes = {uid: {name: _md5(data) for name, data in files.items()} for uid, files in self.contents.items()}
        return digest([self.series, hashes])

    def list_collections(self) -> pl.DataFrame:
        names = sorted({row["dataset"] for row in self.series})
        rows = [
            {"dataset": name, "title": name, "archive": self.name, "retired": False, "synthetic": self.synthetic}
            for name in names
        ]
        return conform(pl.DataFrame(rows, infer_schema_length=None), RAW_COLLECTION_SCHEMA)

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        rows = []
        for row in self.series:
            files = self.contents.get(row["series_uid"], {})
            counted = {
                "instances": len(files),
                "planned_images": len(files),
                "size_bytes": sum(map(len, files.values())),
            }
            rows.append({"format": "DICOM", "analysis_result": False, **counted, **row})
        return conform(pl.DataFrame(rows, infer_schema_length=None), RAW_SERIES_SCHEMA)

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        uid = row["series_uid"]
        self.fetched.append(uid)
        if uid not in self.contents:
            raise SeriesNotFoundError(f"series {uid} is not in the archive {self.name!r}")
        files = self.contents[uid]
        for name, data in files.items():
            (into / name).write_bytes(data)
            on_bytes(len(data))
        return Delivery({name: FileFacts(len(data), _md5(data)) for name, data in files.items()})

    def pins(self) -> pl.DataFrame | None:
        if self._pins is None:
            return None
        return pl.DataFrame({"dataset": list(self._pins), "split": list(self._pins.values())})

    def close(self) -> None:
        pass


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
