import polars as pl
import pytest

from modality_assets.catalogue.split.audit import (
    AUDITS,
    audit_plan,
    body_parts_are_seen_in_train,
    every_class_has_two_datasets_in_every_split,
    every_class_in_every_split,
    every_class_shows_two_body_parts_in_every_split,
    every_dataset_is_in_a_split,
    no_dataset_carries_a_split,
    no_dataset_in_two_splits,
    no_patient_in_two_splits,
    no_placed_dataset_moved,
    pins_are_honoured,
    shares_are_within_tolerance,
)
from modality_assets.catalogue.split.rules import SHARES
from modality_assets.catalogue.split.tables import split_cells


def table(**splits: str) -> pl.DataFrame:
    return pl.DataFrame(
        [{"dataset": name, "split": split, "group": None} for name, split in splits.items()],
        schema={"dataset": pl.String, "split": pl.String, "group": pl.String},
    )


@pytest.fixture
def three(profile_of):
    return profile_of(("a", "CT", 65, ["chest", "knee"]), ("b", "CT", 15, ["chest"]), ("c", "CT", 20, ["hand"]))


def test_a_dataset_in_two_splits_is_found():
    twice = pl.concat([table(a="train"), table(a="test")])
    assert not no_dataset_in_two_splits(twice).passed
    assert no_dataset_in_two_splits(table(a="train", b="test")).passed


def test_a_dataset_without_a_split_is_found(three):
    assert every_dataset_is_in_a_split(table(a="train", b="test"), three).detail == "1: c"


def test_patients_in_two_splits_are_found_by_measure_and_by_table(shared_of):
    assert not no_patient_in_two_splits(table(a="train", b="test"), shared=shared_of(("a", "b"))).passed
    assert no_patient_in_two_splits(table(a="test", b="test"), shared=shared_of(("a", "b"))).passed
    assert "BraTS20" in no_patient_in_two_splits(table(BraTS20="test", tcga_gbm="train")).detail


def test_a_pin_that_does_not_hold_is_found():
    assert not pins_are_honoured(table(a="train"), {"a": "test"}).passed
    assert pins_are_honoured(table(a="train"), {"a": "train", "elsewhere": "test"}).passed


def test_a_dataset_that_moved_or_went_is_found():
    before = table(a="train", b="test", c="test")
    assert no_placed_dataset_moved(table(a="train", b="train"), before).detail == "2: b: test → train; c: test → gone"
    assert no_placed_dataset_moved(before, None).passed


def test_what_a_class_lacks_in_a_split_is_found(three):
    cells = split_cells(table(a="train", b="validate", c="validate"), three, SHARES)
    assert every_class_in_every_split(cells).detail == "1: CT has none in test"
    assert every_class_has_two_datasets_in_every_split(cells).detail == "2: CT in train has 1; CT in test has 0"
    assert every_class_shows_two_body_parts_in_every_split(cells).detail == "1: CT in test shows 0"


def test_a_body_part_that_train_does_not_show_is_found(three):
    result = body_parts_are_seen_in_train(table(a="train", b="validate", c="test"), three)
    assert result.detail == "1: CT of hand in test (20 images)"


def test_shares_and_carrying_are_measured(three):
    cells = split_cells(table(a="train", b="validate", c="test"), three, SHARES)
    assert shares_are_within_tolerance(cells).passed
    assert not no_dataset_carries_a_split(cells).passed
    assert not shares_are_within_tolerance(split_cells(table(a="test", b="train", c="train"), three, SHARES)).passed


def test_every_check_is_in_the_list_once_and_in_its_order(three):
    results = audit_plan(table(a="train", b="validate", c="test"), three)
    assert [result.name for result in results] == list(AUDITS)
    assert all(AUDITS.values())
