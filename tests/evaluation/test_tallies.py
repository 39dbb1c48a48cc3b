import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.evaluation.tallies import bins, confusion, tallies


@settings(deadline=None)
@given(data=st.data())
def test_groups_add_up_to_the_whole(data):
    from modality_assets.modality import CLASSES

    n = data.draw(st.integers(1, 30))
    pick = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    actual, predicted, dataset, patient, part = (data.draw(pick) for _ in range(5))
    table = pl.DataFrame(
        {
            "dataset": [f"D{i}" for i in dataset],
            "patient_id": [f"p{i}" if i else None for i in patient],
            "series_uid": [f"s{i}" for i in patient],
            "source_file": [str(i) for i in range(n)],
            "body_part": [f"b{i}" if i else None for i in part],
            "actual": [CLASSES[i] for i in actual],
            "predicted": [CLASSES[i] for i in predicted],
            **{f"p_{name}": [0.25] * n for name in CLASSES},
        }
    )
    (whole,) = tallies(table)
    groups = list(tallies(table, ["body_part"]))
    assert len(groups) == len(set(part))
    np.testing.assert_array_equal(sum(group.sums for group in groups), whole.sums)
    expected = np.zeros((4, 4))
    np.add.at(expected, (actual, predicted), 1)
    np.testing.assert_array_equal(confusion(whole.sums), expected)
    assert bins(whole.sums)[..., 0].sum() == n


def test_the_same_patient_id_in_two_datasets_is_two_patients(predictions):
    (tally,) = tallies(predictions([0, 0], [0, 0], dataset=["A", "B"], patient=["p", "p"]))
    assert (tally.patients, tally.datasets) == (2, 2)


def test_the_limits_of_a_group_do_not_change_when_another_group_comes(predictions):
    one = predictions([0, 0, 1], [0, 1, 1], body_part="chest")
    other = predictions([0, 1, 1], [0, 1, 0], body_part="brain")
    alone = {tally.group["body_part"]: tally.intervals(0) for tally in tallies(one, ["body_part"])}
    together = {tally.group["body_part"]: tally.intervals(0) for tally in tallies(one.vstack(other), ["body_part"])}
    assert together["chest"] == alone["chest"]


def test_the_limits_of_a_mean_over_classes_are_those_of_all_classes(predictions):
    """A class that lies in one dataset and is always missed cannot lift the mean where it was not drawn."""
    actual = [0, 1, 2, 3] * 10
    datasets = [f"D{label}" for label in actual]
    (tally,) = tallies(predictions(actual, [0 if label == 2 else label for label in actual], dataset=datasets))
    assert tally.values()["balanced_accuracy"] == [0.75]
    assert tally.intervals(0)["balanced_accuracy"] == [[0.75, 0.75]]
    assert tally.intervals(0)["accuracy"][0][1] > 0.75


def test_no_rows_have_no_tallies(predictions):
    assert list(tallies(predictions([0], [0]).clear())) == []
