import json

import polars as pl
import pytest

from modality_assets.catalogue.cohort import choose_cohort
from modality_assets.catalogue.locks import LockError, cohort_from_lock, diff_locks, read_lock
from modality_assets.catalogue.series import SERIES_SCHEMA, conform

ORDINARY = {
    "kept": True,
    "reason": "kept",
    "body_part": "chest",
    "modality": "CT",
    "planned_images": 10,
    "instances": 10,
}


def catalogue(*rows):
    full = [{**ORDINARY, "dataset": "a", "size_bytes": 5, "revised_release": "1", **row} for row in rows]
    return conform(pl.DataFrame(full, infer_schema_length=None), SERIES_SCHEMA)


def lock_of(series, **choice):
    return choose_cohort(series, **{"caps": {}, "archive": "idc", "archive_version": "24", **choice})[1]


def test_a_lock_is_read_from_its_file(tmp_path):
    lock = lock_of(catalogue({"series_uid": "1.1"}))
    (tmp_path / "cohort.lock.json").write_text(json.dumps(lock))
    assert read_lock(tmp_path / "cohort.lock.json") == lock


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "no such file"), ("{", "cannot be read"), ("[1]", "one JSON object"), ("{}", "not a cohort lock")],
)
def test_a_file_that_holds_no_lock_is_refused_in_a_sentence(text, message, tmp_path):
    if text is not None:
        (tmp_path / "lock.json").write_text(text)
    with pytest.raises(LockError, match=message):
        read_lock(tmp_path / "lock.json")


def test_a_lock_written_and_read_gives_the_same_cohort():
    series = catalogue(*({"series_uid": f"1.{n}", "patient_id": str(n)} for n in range(20)))
    chosen, lock = choose_cohort(series, caps={"CT": 120}, seed=3)
    again = cohort_from_lock(json.loads(json.dumps(lock)), series.reverse())
    assert again.equals(chosen)


def test_a_lock_reproduces_its_cohort_when_the_archive_has_grown():
    series = catalogue({"series_uid": "1.1"}, {"series_uid": "1.2"})
    chosen, lock = choose_cohort(series, caps={}, seed=3)
    grown = pl.concat([series, catalogue({"series_uid": "1.3", "dataset": "b"})])
    assert cohort_from_lock(lock, grown).equals(chosen)


def test_a_lock_says_what_was_asked_for_and_what_was_chosen():
    lock = lock_of(catalogue({"series_uid": "1.1"}), caps={"MR": 7}, budget_gb=2, seed=9, policies={"scout": True})
    assert {
        name: lock[name] for name in ("archive", "archive_version", "cohort", "caps", "budget_gb", "seed", "policies")
    } == {
        **{"archive": "idc", "archive_version": "24", "cohort": "all", "caps": {"MR": 7}, "budget_gb": 2, "seed": 9},
        "policies": {"scout": True},
    }
    assert lock["counts"] == {
        **{"datasets": 1, "series": 1, "size_bytes": 5},
        "images": {"CT": 10, "MR": 0, "PT": 0, "XR": 0},
    }


def test_a_series_that_moved_to_another_address_is_still_the_same():
    here, there = (
        lock_of(catalogue({"series_uid": "1.1", "archive_ref": url})) for url in ("http://a:1/x", "http://b:2/x")
    )
    assert here["hash"] == there["hash"]


def test_a_lock_that_was_edited_is_refused():
    lock = lock_of(catalogue({"series_uid": "1.1"}, {"series_uid": "1.2"}))
    del lock["series"]["a"]["1.2"]
    with pytest.raises(LockError, match="edited or cut off"):
        cohort_from_lock(lock, catalogue({"series_uid": "1.1"}))


@pytest.mark.parametrize("text", ["{}", '{"lock_version": 2, "series": {}}', '{"lock_version": 1, "series": []}'])
def test_what_is_no_lock_is_refused(text):
    with pytest.raises(LockError, match="not a cohort lock"):
        diff_locks(json.loads(text), lock_of(catalogue({"series_uid": "1.1"})))


def test_a_lock_names_what_the_archive_no_longer_has_as_it_was():
    lock = lock_of(catalogue({"series_uid": "1.1"}, {"series_uid": "1.2"}, {"series_uid": "1.3"}))
    now = catalogue({"series_uid": "1.1"}, {"series_uid": "1.2", "revised_release": "2"})
    with pytest.raises(
        LockError, match=r"1 of the 3 series of the lock are gone and 1 are revised, such as 1\.3 of a.*idc 24"
    ):
        cohort_from_lock(lock, now)


def test_a_difference_names_what_a_release_added_revised_and_removed():
    old = lock_of(catalogue({"series_uid": "1.1"}, {"series_uid": "1.2"}, {"series_uid": "1.3"}))
    new = lock_of(
        catalogue({"series_uid": "1.1"}, {"series_uid": "1.2", "instances": 11}, {"series_uid": "2.1", "dataset": "b"}),
        archive_version="25",
    )
    difference = diff_locks(old, new)
    assert difference.series.rows() == [("a", "1.2", "revised"), ("a", "1.3", "removed"), ("b", "2.1", "added")]
    assert difference.datasets.rows() == [("a", 0, 1, 1), ("b", 1, 0, 0)]
    assert difference.choices == {"archive_version": ("24", "25")}


def test_equal_locks_do_not_differ():
    lock = lock_of(catalogue({"series_uid": "1.1"}))
    difference = diff_locks(lock, lock)
    assert difference.series.height == difference.datasets.height == 0
    assert difference.choices == {}
