import polars as pl
import pytest

from modality_assets.catalogue.split.rules import SHARES
from modality_assets.catalogue.split.tables import body_part_table, split_cells, unseen_body_parts, worst_deviation


@pytest.fixture
def placed():
    rows = [("a", "train", "a"), ("b", "train", "a"), ("c", "test", None)]
    return pl.DataFrame(rows, schema=["dataset", "split", "group"], orient="row")


@pytest.fixture
def profile(profile_of):
    return profile_of(("a", "CT", 60, ["chest"]), ("b", "CT", 20, ["chest"]), ("c", "CT", 20, ["knee"]))


def test_cells_count_images_shares_and_groups(placed, profile):
    train, validate, test = split_cells(placed, profile, SHARES).to_dicts()
    assert (train["images"], train["datasets"], train["groups"], train["largest"]) == (80, 2, 1, "a")
    assert train["share"] == pytest.approx(0.8)
    assert train["carried"] == pytest.approx(0.75)
    assert (validate["images"], validate["largest"]) == (0, None)
    assert test["deviation"] == pytest.approx(0.0)


def test_the_worst_deviation_is_the_largest_in_either_direction(placed, profile):
    assert worst_deviation(split_cells(placed, profile, SHARES)) == pytest.approx(0.15)


def test_a_split_with_the_share_zero_takes_no_part_in_the_shares(placed, profile):
    cells = split_cells(placed, profile, {"train": 1.0, "test": 0.0})
    assert cells.get_column("share").to_list() == [1.0, 0.0]
    assert cells.get_column("images").to_list() == [80, 20]


def test_body_parts_are_counted_per_class_and_split(placed, profile):
    assert body_part_table(placed, profile).rows() == [("CT", "chest", "train", 80, 2), ("CT", "knee", "test", 20, 1)]


def test_what_train_never_shows_is_found(placed, profile):
    assert unseen_body_parts(profile, placed).rows() == [("CT", "knee", "test", 20, 1)]
