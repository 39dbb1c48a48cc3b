import json

import pytest

from modality_assets.layout import DataLayout
from modality_assets.refresh.record import (
    RefreshRecordError,
    SetAside,
    latest_refresh,
    read_refresh,
    read_set_aside,
    write_refresh,
    write_set_aside,
)
from tests.refresh.made_up_refresh import made_up_refresh


@pytest.fixture
def layout(tmp_path):
    return DataLayout(tmp_path)


def test_what_is_written_is_read_again(layout):
    written = made_up_refresh()
    write_refresh(layout, written)
    assert read_refresh(layout, 2) == written


def test_the_file_says_in_plain_json_what_came_and_was_done(layout):
    write_refresh(layout, made_up_refresh())
    value = json.loads((layout.root / "refresh" / "0002" / "refresh.json").read_text())
    assert value["to_release"] == {"name": "2025-09-01", "version": "b" * 64}
    assert [(row["dataset"], row["change"]) for row in value["datasets"]][:2] == [
        ("ankle", "new"),
        ("brain", "revised"),
    ]
    assert [row["rewritten"] for row in value["splits"]] == [True, False]
    assert value["counts"] == {
        "new": 1,
        "revised": 1,
        "withdrawn": 1,
        "dropped": 1,
        "unchanged": 1,
        "partitions_asked": 3,
        "partitions_done": 2,
        "partitions_set_aside": 1,
        "splits_rewritten": 1,
        "splits_untouched": 1,
        "models_promoted": 1,
        "models_kept": 1,
        "models_stale": 0,
    }


def test_a_record_that_says_the_same_is_not_written_again(layout):
    write_refresh(layout, made_up_refresh())
    path = layout.refresh_record(2)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_refresh(layout, made_up_refresh())
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_the_newest_record_is_the_one_with_the_highest_number(layout):
    assert latest_refresh(layout) is None
    for number in (9, 10, 2):
        write_refresh(layout, made_up_refresh(number))
    assert latest_refresh(layout).number == 10


def test_a_damaged_record_is_named_with_what_to_do(layout):
    path = layout.refresh_record(1)
    path.parent.mkdir(parents=True)
    path.write_text('{"number": 1}')
    with pytest.raises(RefreshRecordError, match=r"refresh\.json.*delete its folder"):
        read_refresh(layout, 1)


def test_datasets_set_aside_are_kept_with_the_reason(layout):
    assert read_set_aside(layout) == {}
    aside = {"brain": SetAside("2" * 64, "DeliveryError: half a zip", 3)}
    write_set_aside(layout, aside)
    assert read_set_aside(layout) == aside
    write_set_aside(layout, {})
    assert read_set_aside(layout) == {}
