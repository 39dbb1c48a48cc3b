"""The two tables that describe a folder of datasets: datasets.csv, and split.csv where there is one."""

import csv
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from modality_assets.archives.adapters import LAYOUTS
from modality_assets.archives.archive import ArchiveContentError, ArchiveUnreachableError, EmptyArchiveError
from modality_assets.layout import UnsafeNameError, check_dataset_key
from modality_assets.modality import CLASS_OF_CODE, CLASSES, SPLITS

REQUIRED = ("dataset", "modality", "body_part", "licence")


@dataclass(frozen=True)
class DatasetRow:
    """One row of datasets.csv: the files of one class of one dataset.

    ``modality`` is a class; ``folder`` holds the files; ``body_part`` None where the row names several.
    """

    number: int
    dataset: str
    modality: str
    written_modality: str
    body_part: str | None
    several_body_parts: str | None
    licence: str | None
    layout: str
    folder: Path
    doi: str | None
    title: str | None

    @property
    def where(self) -> str:
        return f"datasets.csv line {self.number} ({self.dataset}, {self.written_modality})"


def read_datasets(root: Path) -> list[DatasetRow]:
    """Return the rows of ``root/datasets.csv``.

    Raises `ArchiveUnreachableError` where there is no folder, `EmptyArchiveError` where it has no table or
    the table no rows, `ArchiveContentError` naming the line that is wrong.
    """
    if not root.is_dir():
        raise ArchiveUnreachableError(f"folder:{root}: there is no such folder; correct the path after 'folder:'")
    table = root / "datasets.csv"
    if not table.is_file():
        raise EmptyArchiveError(
            f"folder:{root}: there is no datasets.csv in it; write one with the columns {', '.join(REQUIRED)}, "
            "one row per dataset and modality (docs/adding-a-dataset.md)"
        )
    lines = _read(table, REQUIRED)
    if not lines:
        raise EmptyArchiveError(f"{table} has no rows; add one per dataset and modality (docs/adding-a-dataset.md)")
    rows = [_row(root, number, line) for number, line in lines]
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        first = seen.setdefault((row.dataset, str(row.folder)), row.number)
        if first != row.number:
            raise ArchiveContentError(
                f"{table}: lines {first} and {row.number} name the same files; remove one of them"
            )
    return rows


def read_pins(root: Path, datasets: set[str]) -> pl.DataFrame | None:
    """Return ``root/split.csv`` as (dataset, split), None where there is none.

    Raises `ArchiveContentError` for a split that is none, or a dataset that is not there or named twice.
    """
    table = root / "split.csv"
    if not table.is_file():
        return None
    pins: dict[str, str] = {}
    for number, line in _read(table, ("dataset", "split")):
        dataset, split = line["dataset"], line["split"]
        if split not in SPLITS:
            raise ArchiveContentError(f"{table} line {number}: split {split!r}; write one of {', '.join(SPLITS)}")
        if dataset not in datasets:
            raise ArchiveContentError(
                f"{table} line {number}: dataset {dataset!r} is not in datasets.csv; correct either"
            )
        if pins.setdefault(dataset, split) != split:
            raise ArchiveContentError(
                f"{table} line {number}: dataset {dataset!r} is already pinned to {pins[dataset]}"
            )
    return pl.DataFrame(
        {"dataset": list(pins), "split": list(pins.values())}, schema={"dataset": pl.String, "split": pl.String}
    )


def _read(table: Path, required: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in required if name not in (reader.fieldnames or [])]
            if missing:
                raise ArchiveContentError(
                    f"{table} lacks the column(s) {', '.join(missing)}; its first line must name them"
                )
            return [
                (reader.line_num, {key: (value or "").strip() for key, value in line.items() if isinstance(key, str)})
                for line in reader
                if any(value for value in line.values())
            ]
    except UnicodeDecodeError as error:
        raise ArchiveContentError(f"{table} is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except csv.Error as error:
        raise ArchiveContentError(f"{table} is not a table of comma-separated values ({error}); correct it") from None


def _row(root: Path, number: int, line: dict[str, str]) -> DatasetRow:
    where = f"{root / 'datasets.csv'} line {number}"
    try:
        dataset = check_dataset_key(line["dataset"])
    except UnsafeNameError as error:
        raise ArchiveContentError(f"{where}: {error}") from None
    written = line["modality"]
    modality = written if written in CLASSES else CLASS_OF_CODE.get(written.upper())
    if modality is None:
        raise ArchiveContentError(f"{where}: modality {written!r}; write one of {', '.join(CLASSES)}")
    layout = line.get("layout") or "general"
    if layout not in LAYOUTS:
        raise ArchiveContentError(f"{where}: layout {layout!r}; write one of {', '.join(LAYOUTS)}")
    default = f"{dataset}/{written}" if layout == "general" else dataset
    parts = line["body_part"]
    several = "|" in parts or parts.lower() in ("multiple", "various", "mixed")
    return DatasetRow(
        number=number,
        dataset=dataset,
        modality=modality,
        written_modality=written,
        body_part=None if several or not parts else parts,
        several_body_parts=parts if several else None,
        licence=line["licence"] or None,
        layout=layout,
        folder=root / (line.get("folder") or default),
        doi=line.get("doi") or None,
        title=line.get("title") or None,
    )
