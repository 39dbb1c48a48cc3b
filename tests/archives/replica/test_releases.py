"""Releases in time."""

from pathlib import Path

import pytest

from modality_assets.archives.replica.releases import (
    DatasetRelease,
    ReleaseError,
    Releases,
    current_release,
    read_releases,
    set_release,
    write_releases,
)

RELEASES = Releases(
    {"1": "2025-03-03", "2": "2025-09-01", "3": "2026-03-02"},
    {"old": DatasetRelease(1, withdrawn=3), "new": DatasetRelease(2)},
    {"1.2": {"1": "old/a", "3": "old/a-revised-3"}},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_releases(tmp_path, RELEASES)
    assert read_releases(tmp_path) == RELEASES
    assert RELEASES.last == 3


def test_datasets_come_and_go() -> None:
    assert [RELEASES.shows("old", n) for n in (1, 2, 3)] == [True, True, False]
    assert [RELEASES.shows("new", n) for n in (1, 2, 3)] == [False, True, True]
    assert RELEASES.shows("unnamed", 1)


def test_a_revised_series_comes_from_its_newest_folder() -> None:
    assert [RELEASES.folder_of("1.2", n) for n in (1, 2, 3)] == [(1, "old/a"), (1, "old/a"), (3, "old/a-revised-3")]
    assert RELEASES.folder_of("1.3", 3) is None


def test_the_first_release_is_served_until_another_is_chosen(tmp_path: Path) -> None:
    write_releases(tmp_path, RELEASES)
    assert current_release(tmp_path, RELEASES) == 1
    set_release(tmp_path, 2)
    assert current_release(tmp_path, RELEASES) == 2
    assert (tmp_path / "release").read_text().strip() == "2"


def test_a_release_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    write_releases(tmp_path, RELEASES)
    with pytest.raises(ReleaseError, match="no release 4; there are: 1, 2, 3"):
        set_release(tmp_path, 4)


def test_a_description_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "releases.json").write_text('{"datasets": 3}')
    with pytest.raises(ReleaseError, match=r"releases\.json"):
        read_releases(tmp_path)
    assert read_releases(tmp_path / "elsewhere") is None
