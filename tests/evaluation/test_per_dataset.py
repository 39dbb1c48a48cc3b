import pytest

from modality_assets.evaluation.per_dataset import SCHEMA, per_dataset


def test_one_row_per_dataset_class_and_split(predictions):
    table = predictions(
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        dataset=["A", "A", "A", "A"],
        series=["s", "s", "t", "u"],
        body_part=["chest", "chest", "brain", None],
    )
    table = table.vstack(predictions([0], [0], dataset="A", split="train"))
    found = per_dataset(table)
    assert found.schema == SCHEMA
    assert found.select("dataset", "modality", "split", "images", "series", "correct", "body_part").rows() == [
        ("A", "CT", "test", 3, 2, 2, "chest; brain"),
        ("A", "MR", "test", 1, 1, 1, None),
        ("A", "CT", "train", 1, 1, 1, "chest"),
    ]
    assert found["accuracy"][0] == pytest.approx(2 / 3)


def test_limits_are_over_patients_and_unknown_for_one(predictions):
    several = predictions([0] * 6, [0, 0, 0, 1, 0, 1], dataset="A")
    single = predictions([0] * 6, [0, 0, 0, 1, 0, 1], dataset="B", patient=["p"] * 6)
    a, b = per_dataset(several.vstack(single)).iter_rows(named=True)
    assert a["ci_low"] < a["accuracy"] < a["ci_high"]
    assert (b["ci_low"], b["ci_high"]) == (None, None)


def test_only_the_evidence_asked_for_is_counted(predictions):
    table = predictions([0], [0]).vstack(predictions([0], [1], evidence="both"))
    assert per_dataset(table)["correct"].to_list() == [1]
    assert per_dataset(table, evidence="both")["correct"].to_list() == [0]
