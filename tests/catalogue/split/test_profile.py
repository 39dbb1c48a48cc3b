import polars as pl
import pytest

from modality_assets.catalogue.split.errors import ProfileError
from modality_assets.catalogue.split.profile import (
    PROFILE_SCHEMA,
    conform_profile,
    maker,
    profile_datasets,
    shared_patients,
)


def series(*rows: dict[str, object]) -> pl.DataFrame:
    base = {"dataset": "a", "modality": "CT", "planned_images": 10, "patient_id": "A-0001", "kept": True}
    return pl.DataFrame([base | row for row in rows])


def test_images_series_and_patients_are_counted_per_dataset_and_class():
    table = series({}, {"patient_id": "A-0002"}, {"modality": "MR", "planned_images": 7})
    profile = profile_datasets(table)
    assert profile.select("dataset", "modality", "images", "series", "patients").rows() == [
        ("a", "CT", 20, 2, 2),
        ("a", "MR", 7, 1, 1),
    ]
    assert dict(profile.schema) == PROFILE_SCHEMA


def test_series_that_are_not_kept_or_have_no_class_are_left_out():
    table = series({}, {"kept": False}, {"modality": None}, {"modality": "US"}, {"planned_images": 0})
    assert profile_datasets(table).get_column("images").to_list() == [10]


def test_a_cap_limits_what_a_dataset_counts_for_and_only_its_class():
    table = series({"planned_images": 500}, {"modality": "PT", "planned_images": 500})
    assert profile_datasets(table, {"CT": 100}).get_column("images").to_list() == [100, 500]


def test_a_body_part_of_a_hundredth_of_the_images_is_not_one_that_the_dataset_shows():
    table = series(
        {"planned_images": 1000, "body_part": "chest"},
        {"planned_images": 9, "body_part": "knee"},
        {"planned_images": 50, "body_part": "unknown"},
        {"planned_images": 50, "body_part": "phantom"},
    )
    row = profile_datasets(table).row(0, named=True)
    assert (row["body_parts"], row["body_part_images"]) == (["chest"], [1000])


def test_the_many_spellings_of_a_manufacturer_are_one_maker():
    assert {maker(name) for name in ("SIEMENS", "Siemens Healthineers", "siemens/CTI")} == {"siemens"}
    assert maker(" - ") is None


def test_a_missing_column_is_named():
    with pytest.raises(ProfileError, match="planned_images"):
        profile_datasets(pl.DataFrame({"dataset": ["a"], "modality": ["CT"]}))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("modality", "US", "US"), ("images", -1, "number of images"), ("images", None, "number of images")],
)
def test_a_profile_that_is_none_is_refused(column, value, said):
    row = {"dataset": "a", "modality": "CT", "images": 3} | {column: value}
    with pytest.raises(ProfileError, match=said):
        conform_profile(pl.DataFrame([row]))


def test_two_rows_of_one_dataset_and_class_are_refused():
    with pytest.raises(ProfileError, match="two rows"):
        conform_profile(pl.DataFrame({"dataset": ["a", "a"], "modality": ["CT", "CT"], "images": [1, 2]}))


def test_body_parts_without_numbers_count_as_equal():
    frame = pl.DataFrame(
        {"dataset": ["a"], "modality": ["CT"], "images": [9], "body_parts": [["chest", "knee", "hand"]]}
    )
    assert conform_profile(frame).get_column("body_part_images").to_list() == [[3, 3, 3]]


def test_datasets_with_a_patient_in_common_are_found():
    table = series({"patient_id": "VS-SEG-003"}, {"dataset": "b", "patient_id": "VS-SEG-003"}, {"dataset": "c"})
    row = shared_patients(table).row(0, named=True)
    assert row == {"dataset": "a", "other": "b", "patients": 1, "example": "VS-SEG-003", "telling": True}


@pytest.mark.parametrize("identifier", ["001", "ANONYMOUS", "anon0001", "Patient 12", "UNKNOWN", "42"])
def test_a_placeholder_shared_by_two_datasets_is_shown_and_does_not_bind(identifier):
    table = series({"patient_id": identifier}, {"dataset": "b", "patient_id": identifier})
    assert shared_patients(table).get_column("telling").to_list() == [False]


def test_an_identifier_of_many_datasets_is_no_patient():
    table = series(*({"dataset": name, "patient_id": "HEADPHANTOM-7"} for name in "abcdef"))
    assert not shared_patients(table).get_column("telling").any()
