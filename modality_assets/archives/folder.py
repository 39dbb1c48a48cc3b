"""Datasets on the disk, described by a datasets.csv: ``folder:PATH``."""

import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.archives.adapters import LAYOUTS
from modality_assets.archives.adapters.member import walk
from modality_assets.archives.archive import (
    ArchiveContentError,
    Delivery,
    FileFacts,
    SeriesNotFoundError,
)
from modality_assets.archives.datasets_csv import DatasetRow, read_datasets, read_pins
from modality_assets.archives.folder_scan import ScannedFile, scan
from modality_assets.archives.folder_series import series_rows
from modality_assets.archives.unpack import safe_names, unpack_tar
from modality_assets.archives.written import pieces_of, write_hashed
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.manifest import digest
from modality_assets.progress import SILENT, Progress


class FolderArchive:
    """The datasets below one folder.

    A datasets.csv names each (columns dataset, modality, body_part, licence; optionally layout, folder,
    doi, title); its modality wins over any header. What lies there is found by the layout, told apart by
    headers, and counted without decoding. See docs/adding-a-dataset.md.
    """

    synthetic = False

    def __init__(self, root: Path, name: str | None = None) -> None:
        self.root = root.expanduser().absolute()
        self.name = name or self.root.name
        self.rows = read_datasets(self.root)

    def version(self) -> str:
        """Digest of the tables and of every file's name, size and time of change; no file is opened."""
        facts: list[Any] = [(self.root / name).read_bytes().hex() for name in _tables(self.root)]
        for row in self.rows:
            stats = ((name, os.stat(row.folder / name)) for name in walk(row.folder))
            facts.append([row.dataset, row.modality, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]])
        return digest(facts)

    def list_collections(self) -> pl.DataFrame:
        by_dataset: dict[str, list[DatasetRow]] = {}
        for row in self.rows:
            by_dataset.setdefault(row.dataset, []).append(row)
        return conform(
            pl.DataFrame(
                [
                    {
                        "dataset": dataset,
                        "title": next((row.title for row in rows if row.title), dataset),
                        "doi": next((row.doi for row in rows if row.doi), None),
                        "archive": self.name,
                        "licences": "; ".join(dict.fromkeys(row.licence for row in rows if row.licence)),
                        "retired": False,
                        "synthetic": False,
                    }
                    for dataset, rows in sorted(by_dataset.items())
                ],
                infer_schema_length=None,
            ),
            RAW_COLLECTION_SCHEMA,
        )

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        """Return one row per series after reading every file's header.

        Raises `ArchiveContentError` for a row of datasets.csv that has no files, and for a series that two
        rows claim.
        """
        found = []
        for row in self.rows:
            members = list(LAYOUTS[row.layout](row.folder)) if row.folder.is_dir() else []
            if not members:
                raise ArchiveContentError(
                    f"{self.root}: {row.where} has no files: put them below {row.folder}"
                    + ("" if row.layout == "general" else f" in the {row.layout} layout")
                    + ", or remove the line"
                )
            found.append((row, members))
        scanned = scan(found, progress)
        rows = [series for row, files in scanned for series in series_rows(row, files, self._reference)]
        _check_unique(rows)
        return conform(pl.DataFrame(rows, infer_schema_length=None), RAW_SERIES_SCHEMA)

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Copy the files of a series; a packed one is unpacked. MD5s are those of the bytes read."""
        reference = json.loads(row["archive_ref"])
        base = self.root / reference["folder"]
        try:
            if packed := reference.get("packed"):
                return unpack_tar(base / packed, into, on_bytes)
            names = reference["files"] or sorted(name for name in os.listdir(base) if (base / name).is_file())
            facts, written = {}, {}
            for name, target in zip(names, safe_names(names), strict=True):
                with (base / name).open("rb", buffering=0) as file:
                    written[target] = write_hashed(into / target, pieces_of(file), on_bytes)
                facts[target] = FileFacts(written[target].size_bytes, written[target].md5)
            return Delivery(facts, written)
        except FileNotFoundError as error:
            raise SeriesNotFoundError(
                f"{error.filename} is gone since the catalogue was made; put it back, or materialise "
                "collection_catalogue again"
            ) from None
        except (tarfile.TarError, EOFError, zlib.error) as error:
            packed = base / str(reference.get("packed"))
            raise ArchiveContentError(
                f"{packed} cannot be unpacked ({error}); fetch it again from its source"
            ) from None

    def pins(self) -> pl.DataFrame | None:
        return read_pins(self.root, {row.dataset for row in self.rows})

    def close(self) -> None:
        pass

    def _reference(self, row: DatasetRow, files: list[ScannedFile]) -> str:
        """Where the files of a series are: their folder, and their names unless they are all that it holds.

        Times and sizes are in it, so that a file that is exchanged makes what was made of it stale.
        """
        fingerprint = digest([(file.member.path, file.size_bytes, file.changed_ns) for file in files])[:16]
        if files[0].member.packed:
            return _reference_text(self.root, row.folder, fingerprint, packed=files[0].member.path)
        names = [name for file in files for name in (file.member.path, *file.member.companions)]
        common = os.path.commonpath([os.path.dirname(name) for name in names])
        folder = row.folder / common
        relative = [os.path.relpath(name, common) if common else name for name in names]
        whole = len(relative) > 1 and sorted(relative) == sorted(os.listdir(folder))
        return _reference_text(self.root, folder, fingerprint, files=None if whole else relative)


def _reference_text(root: Path, folder: Path, fingerprint: str, **names: Any) -> str:
    inside = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
    return json.dumps({"folder": inside, "fingerprint": fingerprint, **names})


def _tables(root: Path) -> list[str]:
    return [name for name in ("datasets.csv", "split.csv") if (root / name).is_file()]


def _check_unique(rows: Iterable[dict[str, Any]]) -> None:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = (row["dataset"], row["series_uid"])
        if key in seen:
            raise ArchiveContentError(
                f"series {key[1]} of dataset {key[0]} lies under two modalities; leave it under the right one"
            )
        seen.add(key)
