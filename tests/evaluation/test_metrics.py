import json
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from modality_assets.evaluation.errors import NoPredictionsError
from modality_assets.evaluation.metrics import dataset_spread, figures, metrics, one_versus_rest_auc
from modality_assets.evaluation.predictions import probability_array
from modality_assets.modality import CLASSES


def test_the_confusion_matrix_has_actual_classes_in_rows(predictions):
    found = figures(predictions([0, 0, 0, 3], [0, 0, 1, 3]))
    assert found["confusion"] == [[2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["per_class"]["CT"]["recall"] == pytest.approx(2 / 3)
    assert found["per_class"]["MR"] == {
        "images": 0,
        "precision": 0,
        "recall": None,
        "f1": 0,
        "precision_ci": [0, 0],
        "recall_ci": None,
        "f1_ci": [0, 0],
        "auc": None,
        "auc_ci": None,
    }


def test_auc_is_one_class_against_the_rest(predictions):
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 4, 200)
    predicted = np.where(rng.random(200) < 0.6, actual, rng.integers(0, 4, 200))
    table = predictions(actual, predicted, confidence=rng.uniform(0.3, 1, 200))
    scores = probability_array(table)
    assert one_versus_rest_auc(table) == pytest.approx(
        [roc_auc_score(actual == i, scores[:, i]) for i in range(len(CLASSES))]
    )


def test_the_interval_of_auc_is_that_of_a_bootstrap_of_its_every_score(predictions):
    rng = np.random.default_rng(3)
    actual = rng.integers(0, 2, 400)
    sure = np.where(
        actual == 0, rng.beta(4, 2, 400), rng.beta(2, 4, 400)
    )  # the probability of CT, from which MR's follows
    table = predictions(actual, np.zeros(400, int), confidence=sure, dataset=[f"D{i % 40}" for i in range(400)],
                        patient=[f"p{i % 40}" for i in range(400)])  # fmt: skip
    found = figures(table)["per_class"]["CT"]
    drawn = []
    for _ in range(1000):
        rows = np.concatenate([np.arange(40 * 10).reshape(10, 40)[:, d] for d in rng.integers(0, 40, 40)])
        drawn.append(roc_auc_score(actual[rows] == 0, sure[rows]))
    assert found["auc_ci"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.015)
    assert found["auc_ci"][0] < found["auc"] < found["auc_ci"][1]


def test_every_group_has_every_figure_with_its_interval(predictions):
    rng = np.random.default_rng(0)
    actual, predicted = rng.integers(0, 4, (2, 240))
    table = predictions(actual, predicted, dataset=[f"D{i % 6}" for i in range(240)],
                        manufacturer=["SIEMENS", "GE", None] * 80)  # fmt: skip
    found = metrics(table)["evidence"]["pixels"]["test"]
    siemens = next(row for row in found["breakdown"]["manufacturer"] if row["manufacturer"] == "SIEMENS")
    alone = figures(table.filter(manufacturer="SIEMENS"))
    for rate in ("accuracy", "balanced_accuracy", "ece", "auc"):
        assert siemens[rate] == alone[rate]
        low, high = siemens[f"{rate}_ci"]
        assert low < high
    assert siemens["per_class"]["PT"]["auc"] == alone["per_class"]["PT"]["auc"]
    assert siemens["reliability"] == alone["reliability"]
    for name, of_series in found["series"]["breakdown"].items():
        assert len(of_series) == len(found["breakdown"][name])


def test_series_are_counted_beside_images(predictions):
    table = predictions([0, 0, 0, 1], [0, 0, 1, 1], series=["s", "s", "s", "t"])
    found = metrics(table)["evidence"]["pixels"]["test"]
    assert found["accuracy"] == 0.75
    assert found["series"]["accuracy"] == 1
    assert found["series"]["images"] == 2


def test_splits_and_kinds_of_evidence_are_kept_apart(predictions):
    table = predictions([0, 1], [0, 1]).vstack(predictions([0, 1], [1, 1], split="validate"))
    table = table.vstack(predictions([0, 1], [1, 0], evidence="intensities"))
    found = metrics(table)["evidence"]
    assert found["pixels"]["test"]["accuracy"] == 1
    assert found["pixels"]["validate"]["accuracy"] == 0.5
    assert found["intensities"]["test"]["accuracy"] == 0
    assert list(found["pixels"]) == ["validate", "test"]


def test_the_breakdown_shows_the_group_that_fails_and_the_one_that_has_no_name(predictions):
    table = predictions([3, 3, 3, 3], [3, 3, 0, 3], body_part=["chest", "chest", "hand", None])
    rows = metrics(table)["evidence"]["pixels"]["test"]["breakdown"]["body_part"]
    assert {row["body_part"]: row["accuracy"] for row in rows} == {"chest": 1, "hand": 0, None: 1}
    assert sum(row["images"] for row in rows) == 4
    by_dataset = metrics(table)["evidence"]["pixels"]["test"]["breakdown"]["dataset_class"]
    assert [(row["dataset"], row["actual"], row["correct"]) for row in by_dataset] == [("D", "XR", 3)]


def test_the_worst_dataset_stands_beside_the_mean(predictions):
    table = predictions([0] * 12, [0] * 10 + [1, 0], dataset=["big"] * 10 + ["small"] * 2)
    assert dataset_spread(table) == {
        "mean_dataset_accuracy": 0.75,
        "worst_dataset": {"dataset": "small", "images": 2, "accuracy": 0.5},
    }


def test_reliability_sums_to_the_images_and_gives_the_calibration_error(predictions):
    table = predictions([0] * 10, [0] * 6 + [1] * 4, confidence=[0.98] * 5 + [0.5] * 5)
    found = figures(table)
    assert sum(row["images"] for row in found["reliability"]) == 10
    low, high = found["reliability"]
    assert (low["accuracy"], high["accuracy"]) == (pytest.approx(0.2), pytest.approx(1.0))
    assert found["ece"] == pytest.approx(0.5 * 0.3 + 0.5 * 0.02, abs=1e-6)


def test_a_single_patient_leaves_the_interval_unknown_and_json_valid(predictions):
    found = metrics(predictions([0, 0], [0, 1], patient=["p", "p"]))
    assert found["evidence"]["pixels"]["test"]["accuracy_ci"] is None
    json.dumps(found, allow_nan=False)


def test_figures_do_not_depend_on_the_order_of_the_rows(predictions):
    rng = np.random.default_rng(0)
    actual, predicted = rng.integers(0, 4, (2, 120))
    table = predictions(actual, predicted, dataset=[f"D{i % 7}" for i in range(120)])
    mixed = table.sample(fraction=1, shuffle=True, seed=1)
    assert json.dumps(metrics(table)) == json.dumps(metrics(mixed))


def test_nothing_to_evaluate_is_an_error(predictions):
    with pytest.raises(NoPredictionsError):
        metrics(predictions([0], [0]).clear())


def test_two_thousand_images_take_two_seconds(predictions):
    rng = np.random.default_rng(0)
    table = predictions(
        rng.integers(0, 4, 2000),
        rng.integers(0, 4, 2000),
        dataset=[f"D{i % 25}" for i in range(2000)],
        patient=[f"p{i % 150}" for i in range(2000)],
        series=[f"s{i % 200}" for i in range(2000)],
    )
    start = time.process_time()
    metrics(table)
    assert time.process_time() - start < 4  # 0.5 s alone on one core of a small machine
