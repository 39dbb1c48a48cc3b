"""What the record of a refresh says came, from catalogues and cohorts of a made-up archive."""

import polars as pl
import pytest

from modality_assets.archives.memory import MemoryArchive
from modality_assets.layout import DataLayout
from modality_assets.planning import (
    build_catalogue,
    build_cohort,
    build_split,
    catalogue_result,
    cohort_result,
    source_result,
    split_result,
)
from modality_assets.progress import SILENT
from modality_assets.refresh.changes import current_refresh, newest_release, source_hashes
from modality_assets.refresh.record import latest_refresh, read_refresh
from modality_assets.results import MissingInputError, make
from modality_assets.settings import Settings

FACTS = {"modality_tag": "CT", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "instances": 50, "planned_images": 50}


def series(dataset: str, number: int, revised: str = "1") -> dict:
    return {
        **FACTS,
        "dataset": dataset,
        "series_uid": f"1.2.{sum(map(ord, dataset))}.{number}",
        "patient_id": f"{dataset}-{number}",
        "size_bytes": 1000 * number,
        "first_release": "1",
        "revised_release": revised,
    }


@pytest.fixture
def layout(tmp_path):
    return DataLayout(tmp_path)


@pytest.fixture
def plan(layout):
    """Make catalogue, cohort and plan of an archive with these series."""

    def make_plan(*rows, **settings):
        archive, chosen = MemoryArchive(list(rows), {}), Settings(**settings)
        make(
            catalogue_result(archive, layout, chosen),
            lambda staged: build_catalogue(archive, chosen, staged, SILENT),
            run_id="test",
        )
        make(cohort_result(layout, chosen), lambda staged: build_cohort(layout, chosen, staged), run_id="test")
        make(split_result(layout, chosen), lambda staged: build_split(layout, chosen, staged), run_id="test")

    return make_plan


def test_without_a_cohort_it_says_what_to_materialise(layout):
    with pytest.raises(MissingInputError, match="cohort"):
        current_refresh(layout)


def test_at_first_every_dataset_is_new(layout, plan):
    plan(series("a", 1), series("b", 1), series("b", 2))
    refresh = current_refresh(layout)
    assert (refresh.number, refresh.from_release, refresh.to_release.name) == (1, None, "1")
    assert refresh.named("new") == ["a", "b"]
    assert [(row.series, row.images) for row in refresh.datasets] == [(1, 50), (2, 100)]


def test_the_same_cohort_is_the_same_refresh(layout, plan):
    plan(series("a", 1))
    assert current_refresh(layout) == current_refresh(layout)
    assert len(layout.refresh_records) == 1


def test_a_release_says_what_is_new_revised_withdrawn_dropped_and_unchanged(layout, plan):
    before = [series(name, number) for name in ("away", "left", "more", "other", "same") for number in (1, 2)]
    plan(*before)
    current_refresh(layout)
    gone = [row for row in before if row["dataset"] != "away"]
    revised = [
        series("other", 1, revised="2") if row["series_uid"] == series("other", 1)["series_uid"] else row
        for row in gone
    ]
    plan(*revised, series("more", 3), series("fresh", 1), excluded={"left": "broken"})
    refresh = current_refresh(layout)
    assert refresh.named("new") == ["fresh"]
    assert refresh.named("revised") == ["more", "other"]
    assert refresh.named("withdrawn") == ["away"]
    assert refresh.named("dropped") == ["left"]
    assert refresh.named("unchanged") == ["same"]
    assert refresh.to_release.name == "2"
    assert refresh.from_release == read_refresh(layout, 1).to_release


def test_a_series_that_an_archive_takes_back_revises_its_dataset(layout, plan):
    plan(series("a", 1), series("a", 2), series("b", 1))
    current_refresh(layout)
    plan(series("a", 1), series("b", 1))
    assert current_refresh(layout).named("revised") == ["a"]


def test_a_refresh_that_was_going_on_is_overtaken(layout, plan):
    plan(series("a", 1))
    current_refresh(layout)
    plan(series("a", 1), series("b", 1))
    assert latest_refresh(layout).number == 1
    assert current_refresh(layout).number == 2
    assert read_refresh(layout, 1).state == "overtaken"


def test_a_dataset_withdrawn_once_is_not_withdrawn_again(layout, plan):
    for rows in ([series("a", 1), series("b", 1)], [series("a", 1)], [series("a", 1), series("c", 1)]):
        plan(*rows)
        refresh = current_refresh(layout)
    assert (refresh.number, refresh.named("withdrawn"), refresh.named("new")) == (3, [], ["c"])


def test_hashes_of_source_files_are_those_that_the_asset_uses(layout, plan):
    plan(series("a", 2), series("a", 1), series("b", 1))
    cohort = pl.read_parquet(layout.cohort_table)
    hashes = source_hashes(layout, cohort.sample(fraction=1.0, shuffle=True, seed=1))
    for dataset in ("a", "b"):
        assert hashes[dataset] == source_result(layout, dataset, cohort.filter(dataset=dataset)).input_hash


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (["2025-03-03", "2025-09-01 00:00:00.0", None], "2025-09-01"),
        (["9", "10", "2"], "10"),
        ([None], None),
    ],
)
def test_the_newest_release_is_the_latest_day_or_the_highest_number(names, newest):
    table = pl.DataFrame(
        {"first_release": names, "revised_release": names},
        schema_overrides={"first_release": pl.String, "revised_release": pl.String},
    )
    assert newest_release(table) == newest
