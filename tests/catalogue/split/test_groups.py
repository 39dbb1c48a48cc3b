import pytest

from modality_assets.catalogue.split.errors import PinConflictError
from modality_assets.catalogue.split.groups import form_units
from modality_assets.catalogue.split.kinship import Kin
from modality_assets.modality import SPLITS


def kin(*pairs: str) -> list[Kin]:
    return [Kin(pair[0], pair[1], 2, "2 PatientIDs in common") for pair in pairs]


def split_of(grouping) -> dict[str, str | None]:
    return {dataset: unit.split for unit in grouping.units for dataset in unit.datasets}


def test_datasets_that_share_patients_are_one_unit_and_one_group():
    grouping = form_units("abcd", kin("ab", "bc"), {}, {}, SPLITS)
    assert [unit.datasets for unit in grouping.units] == [("a", "b", "c"), ("d",)]
    assert grouping.groups == dict.fromkeys("abc", "a")


def test_what_shares_patients_with_a_pinned_dataset_follows_it():
    grouping = form_units("abc", kin("ab", "bc"), {"b": "test"}, {}, SPLITS)
    assert split_of(grouping) == dict.fromkeys("abc", "test")


def test_two_pins_that_separate_patients_are_a_conflict_that_names_both():
    with pytest.raises(PinConflictError, match=r"a → train separates patients: b is pinned in test"):
        form_units("ab", kin("ab"), {"a": "train", "b": "test"}, {}, SPLITS)


def test_pins_that_separate_patients_through_a_free_dataset_name_the_path():
    with pytest.raises(PinConflictError, match="a – b – c"):
        form_units("abc", kin("ab", "bc"), {"a": "train", "c": "test"}, {}, SPLITS)


def test_a_pin_against_an_earlier_placement_is_a_conflict():
    with pytest.raises(PinConflictError, match="never moves"):
        form_units("a", [], {"a": "test"}, {"a": "train"}, SPLITS)


def test_a_pin_that_separates_patients_from_what_is_placed_is_a_conflict():
    with pytest.raises(PinConflictError, match="placed by the earlier plan in train"):
        form_units("ab", kin("ab"), {"b": "test"}, {"a": "train"}, SPLITS)


def test_a_pin_to_a_split_that_does_not_exist_is_a_conflict():
    with pytest.raises(PinConflictError, match="tset"):
        form_units("a", [], {"a": "tset"}, {}, SPLITS)


def test_a_pin_of_a_dataset_that_is_not_there_binds_nobody():
    assert split_of(form_units("a", [], {"z": "nowhere"}, {}, SPLITS)) == {"a": None}


def test_patients_that_an_earlier_plan_separated_stay_separated():
    grouping = form_units("ab", kin("ab"), {}, {"a": "train", "b": "test"}, SPLITS)
    assert split_of(grouping) == {"a": "train", "b": "test"}
    assert grouping.groups == {"a": "a", "b": "a"}


def test_a_pin_that_repeats_what_an_earlier_plan_separated_is_no_conflict():
    placed = {"a": "train", "b": "test"}
    assert split_of(form_units("ab", kin("ab"), placed, placed, SPLITS)) == placed


def test_a_newcomer_between_two_splits_goes_where_it_shares_most_patients():
    pairs = [Kin("a", "c", 2, "2"), Kin("b", "c", 9, "9")]
    grouping = form_units("abc", pairs, {}, {"a": "train", "b": "test"}, SPLITS)
    assert split_of(grouping)["c"] == "test"
    assert "no placing avoids" in next(unit.reason for unit in grouping.units if unit.datasets == ("c",))


def test_what_one_to_come_would_join_is_kept_together_where_nothing_speaks_against_it():
    expected = kin("ab", "cd")
    grouping = form_units("abcd", [], {"c": "train", "d": "test"}, {}, SPLITS, expected)
    assert [unit.datasets for unit in grouping.units] == [("a", "b"), ("c",), ("d",)]
    assert grouping.groups == {}


def test_a_newcomer_is_placed_beside_what_one_to_come_would_join():
    grouping = form_units("ab", [], {}, {"a": "test"}, SPLITS, kin("ab"))
    assert split_of(grouping) == {"a": "test", "b": "test"}
