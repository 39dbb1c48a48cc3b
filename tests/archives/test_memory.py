from collections.abc import Callable
from pathlib import Path

import pytest

from modality_assets.archives.archive import Archive, SeriesNotFoundError
from modality_assets.archives.memory import MemoryArchive
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA


def test_the_tables_have_the_columns_of_the_catalogue(memory_archive: Callable[..., MemoryArchive]) -> None:
    archive: Archive = memory_archive(series=2, files=3)
    series = archive.list_series()
    assert dict(series.schema) == RAW_SERIES_SCHEMA
    assert dict(archive.list_collections().schema) == RAW_COLLECTION_SCHEMA
    assert series["instances"].to_list() == [3, 3]


def test_a_delivery_lists_what_was_written_with_its_md5(
    memory_archive: Callable[..., MemoryArchive], tmp_path: Path
) -> None:
    archive = memory_archive(series=1, files=2)
    seen: list[int] = []
    delivery = archive.fetch_series(archive.list_series().row(0, named=True), tmp_path, seen.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(delivery.files)
    assert sum(seen) == sum(facts.size_bytes or 0 for facts in delivery.files.values())


def test_a_series_without_bytes_is_not_found(memory_archive: Callable[..., MemoryArchive], tmp_path: Path) -> None:
    archive = memory_archive()
    with pytest.raises(SeriesNotFoundError):
        archive.fetch_series({"series_uid": "9.9"}, tmp_path, lambda amount: None)


def test_the_version_changes_with_the_bytes(memory_archive: Callable[..., MemoryArchive]) -> None:
    archive = memory_archive()
    before = archive.version()
    assert archive.version() == before
    archive.contents["1.2.1"] = {"1.dcm": b"other"}
    assert archive.version() != before
