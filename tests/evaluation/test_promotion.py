import json

import polars as pl
import pytest

from modality_assets.evaluation.promotion import (
    change_per_dataset,
    decide_promotion,
    read_promotion,
    write_promotion,
)

OLD = "1" * 64


@pytest.fixture
def report(tmp_path):
    """Make the folder of a report: balanced accuracy on validate, and dataset → (images, accuracy)."""

    def make(name, balanced, **datasets):
        folder = tmp_path / name
        folder.mkdir()
        splits = {} if balanced is None else {"validate": {"balanced_accuracy": balanced}}
        (folder / "metrics.json").write_text(json.dumps({"main_evidence": "pixels", "evidence": {"pixels": splits}}))
        rows = [
            {"dataset": dataset, "modality": "CT", "split": "test", "images": images, "accuracy": accuracy}
            for dataset, (images, accuracy) in datasets.items()
        ]
        pl.DataFrame(rows).write_parquet(folder / "per_dataset.parquet")
        return folder

    return make


@pytest.mark.parametrize(
    ("before", "after", "margin", "promoted"),
    [
        (0.80, 0.81, 0.0, True),
        (0.80, 0.80, 0.0, True),
        (0.80, 0.79, 0.0, False),
        (0.80, 0.81, 0.02, False),
        (0.80, 0.825, 0.02, True),
        (0.80, 0.79, -0.02, True),
        (None, 0.10, 0.5, True),
        (0.10, None, -1.0, False),
        (None, None, 0.0, False),
    ],
)
def test_the_new_model_must_be_better_by_the_margin(report, before, after, margin, promoted):
    old, new = report("old", before, a=(1, 1.0)), report("new", after, a=(1, 1.0))
    decision = decide_promotion(old, new, margin=margin, over=OLD)
    assert decision.promoted is promoted
    assert (decision.before, decision.after, decision.over) == (before, after, OLD)
    assert ("replaces" in decision.sentence) is promoted


def test_a_decision_is_read_as_it_was_written_with_its_sentence_for_people(report, tmp_path):
    old, new = report("old", 0.5, a=(4, 0.5)), report("new", 0.7, a=(4, 0.75))
    decision = decide_promotion(old, new, margin=0.0, over=OLD)
    write_promotion(tmp_path, decision, change_per_dataset(None, old, new))
    assert read_promotion(tmp_path) == decision
    said = json.loads((tmp_path / "promotion.json").read_text())["sentence"]
    assert said == (
        "balanced accuracy on validate: 50.0 % before, 70.0 % after, margin +0.0 points: "
        "the new model replaces the old one"
    )


def test_where_nothing_was_decided_there_is_no_decision(tmp_path):
    assert read_promotion(tmp_path) is None
    (tmp_path / "promotion.json").write_text("{half")
    assert read_promotion(tmp_path) is None


def test_the_change_names_each_dataset_the_largest_loss_first(report):
    then = report("then", 0.5, kept=(10, 0.9), lost=(10, 0.8), withdrawn=(10, 0.7))
    old = report("old", 0.5, kept=(10, 0.9), lost=(12, 0.8), came=(5, 0.2))
    new = report("new", 0.6, kept=(10, 0.9), lost=(12, 0.5), came=(5, 0.8))
    rows = {row["dataset"]: row for row in change_per_dataset(then, old, new).iter_rows(named=True)}
    assert list(rows) == ["lost", "kept", "came", "withdrawn"]
    assert rows["lost"]["difference"] == pytest.approx(-0.3)
    assert (rows["lost"]["images_then"], rows["lost"]["images"]) == (10, 12)
    assert (rows["came"]["accuracy_then"], rows["came"]["difference"]) == (None, pytest.approx(0.6))
    assert (rows["withdrawn"]["accuracy_then"], rows["withdrawn"]["images"]) == (0.7, None)


def test_a_first_report_has_nothing_to_look_back_at(report):
    old, new = report("old", 0.5, a=(4, 0.5)), report("new", 0.7, a=(4, 0.75))
    (row,) = change_per_dataset(None, old, new).iter_rows(named=True)
    assert (row["images_then"], row["accuracy_then"], row["difference"]) == (None, None, 0.25)
