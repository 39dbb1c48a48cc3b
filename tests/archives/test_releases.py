import polars as pl
import pytest

from modality_assets.archives.idc_index import IdcIndex
from modality_assets.archives.memory import MemoryArchive
from modality_assets.archives.releases import changes, idc_history, idc_releases, series_at

IMAGES = ("CT", "MR", "PT", "CR", "DX", "MG")


@pytest.fixture(scope="module")
def replay() -> pl.DataFrame:
    return idc_releases(modalities=IMAGES)


@pytest.fixture(scope="module")
def counted() -> dict[int, tuple[set[str], set[int]]]:
    """Datasets and series of each release, counted row by row in plain Python from the files themselves."""
    index = IdcIndex()
    names = ["collection_id", "SeriesInstanceUID", "Modality"]
    numbers: dict[str, int] = {}
    served = []
    for dataset, uid, modality, first in index.series([*names, "series_revised_idc_version"]).iter_rows():
        if modality in IMAGES:
            served.append((dataset, numbers.setdefault(uid, len(numbers)), first, 25))
    for dataset, uid, modality, first, last in index.prior([*names, "min_idc_version", "max_idc_version"]).iter_rows():
        if modality in IMAGES:
            served.append((dataset, numbers.setdefault(uid, len(numbers)), first, last))
    return {
        release: (
            {dataset for dataset, _, first, last in served if first <= release <= last},
            {number for _, number, first, last in served if first <= release <= last},
        )
        for release in range(1, 26)
    }


def test_the_25_releases_agree_with_an_independent_count(
    replay: pl.DataFrame, counted: dict[int, tuple[set[str], set[int]]]
) -> None:
    assert replay["release"].to_list() == list(range(1, 26))
    old_datasets: set[str] = set()
    old_series: set[int] = set()
    for row in replay.iter_rows(named=True):
        datasets, series = counted[row["release"]]
        assert (row["datasets"], row["series"]) == (len(datasets), len(series))
        assert row["datasets_added"] == sorted(datasets - old_datasets)
        assert row["datasets_withdrawn"] == sorted(old_datasets - datasets)
        assert row["series_added"] == len(series - old_series)
        assert row["series_withdrawn"] == len(old_series - series)
        old_datasets, old_series = datasets, series


def test_the_known_history_of_the_archive_is_found(replay: pl.DataFrame) -> None:
    added = {row["release"]: row["datasets_added"] for row in replay.iter_rows(named=True)}
    assert len(added[1]) == 21
    assert "lidc_idri" in added[1]
    assert "4d_lung" in added[2]
    assert added[4] == ["nlst"]
    withdrawn = {row["release"]: row["datasets_withdrawn"] for row in replay.iter_rows(named=True)}
    assert withdrawn[5] == ["apollo"]
    assert replay["released"].to_list()[0] == "2020-06-01"
    assert replay.filter(release=25)["series_revised"].item() > 0


def test_the_newest_release_is_the_index_itself() -> None:
    index = IdcIndex()
    current = series_at(idc_history(index), 25)
    expected = index.series(["SeriesInstanceUID", "crdc_series_uuid"])
    assert current.height == expected.height
    assert current["uuid"].n_unique() == expected["crdc_series_uuid"].n_unique()


def test_two_listings_tell_what_came_was_revised_and_was_withdrawn() -> None:
    rows = [{"dataset": "a", "series_uid": f"1.{number}", "revised_release": "1"} for number in (1, 2, 3)]
    before = MemoryArchive(rows, {}).list_series()
    after = MemoryArchive(
        [rows[0], {**rows[1], "revised_release": "2"}, {"dataset": "b", "series_uid": "1.4"}], {}
    ).list_series()
    found = changes(before, after)
    assert (found.series_added, found.series_revised, found.series_withdrawn) == (["1.4"], ["1.2"], ["1.3"])
    assert (found.datasets_added, found.datasets_withdrawn) == (["b"], [])
    assert not changes(before, before).any()
    assert found.any()
