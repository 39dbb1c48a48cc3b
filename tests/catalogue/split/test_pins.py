import polars as pl
import pytest

from modality_assets.catalogue.split.errors import PinConflictError, PinFileError
from modality_assets.catalogue.split.pins import pins_from, read_pins


def test_a_pins_file_is_read(tmp_path):
    (tmp_path / "split.csv").write_text("dataset,split\nLIDC-IDRI, test\n0001,train\n")
    assert read_pins(tmp_path / "split.csv") == {"LIDC-IDRI": "test", "0001": "train"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("dataset,where\na,test\n", "no column 'split'"), ("dataset,split\na,\n", "row 1 lacks"), ("", "cannot be read")],
)
def test_a_pins_file_that_is_none_is_refused_by_name(tmp_path, text, said):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(PinFileError, match=said) as caught:
        read_pins(tmp_path / "split.csv")
    assert "split.csv" in str(caught.value)


def test_a_pins_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PinFileError, match=r"none\.csv"):
        read_pins(tmp_path / "none.csv")


def test_one_dataset_in_two_splits_is_a_conflict():
    table = pl.DataFrame({"dataset": ["a", "a"], "split": ["train", "test"]})
    with pytest.raises(PinConflictError, match="'a' is pinned to train and to test"):
        pins_from(table)


def test_the_same_pin_twice_is_one_pin():
    assert pins_from(pl.DataFrame({"dataset": ["a", "a"], "split": ["train", "train"]})) == {"a": "train"}
