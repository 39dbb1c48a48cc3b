import numpy as np
import polars as pl
import pytest

from modality_assets.prediction.calibration import power
from modality_assets.prediction.calibration_fitting import coverage_curve, fit_calibration
from modality_assets.prediction.errors import NothingToFitError


def honest(n, seed=0, sharpness=1.5):
    """Probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    probabilities = power(rng.dirichlet(np.ones(4), n), sharpness)
    labels = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    return probabilities, labels


def rows(n, datasets=40):
    return pl.DataFrame(
        {
            "dataset": [f"d{i % datasets}" for i in range(n)],
            "series_uid": [f"s{i // 4}" for i in range(n)],
            "source_file": [str(i) for i in range(n)],
        }
    )


def test_too_sure_a_model_is_cooled_to_what_it_knows():
    probabilities, labels = honest(4000)
    found = fit_calibration(power(probabilities, 3.0), labels, rows(4000))
    assert found.pixels == pytest.approx(1 / 3, rel=0.15)
    assert found.fitted_on["datasets"] == 40


def test_a_calibrated_model_is_left_as_it_is():
    probabilities, labels = honest(4000)
    assert fit_calibration(probabilities, labels, rows(4000)).pixels == pytest.approx(1, rel=0.15)


def test_one_dataset_cannot_overthrow_the_prior():
    right = np.tile([[0.6, 0.2, 0.1, 0.1]], (500, 1))
    found = fit_calibration(right, np.zeros(500, int), rows(500, datasets=1))
    assert 1 < found.pixels < 2


def test_useless_evidence_is_given_less_weight_than_useful():
    probabilities, labels = honest(3000, sharpness=0.7)
    rng = np.random.default_rng(1)
    useful = power(0.2 + 0.6 * np.eye(4)[np.where(rng.random(3000) < 0.9, labels, rng.integers(0, 4, 3000))], 1)
    useless = rng.permutation(useful)
    speaks = np.ones(3000, bool)
    images = rows(3000)
    good = fit_calibration(probabilities, labels, images, intensities=useful, speaks=speaks)
    bad = fit_calibration(probabilities, labels, images, intensities=useless, speaks=speaks)
    assert bad.joined_intensities < 0.5 * good.joined_intensities
    joined = good.calibrated("both", probabilities, useful, speaks)
    assert (joined.argmax(1) == labels).mean() > (probabilities.argmax(1) == labels).mean() + 0.1


def test_less_coverage_is_more_often_right():
    probabilities, labels = honest(3000)
    curve = coverage_curve(probabilities, labels, np.ones(3000))
    assert curve[0].coverage == 1
    assert curve[0].threshold == 0
    assert curve[0].accuracy == pytest.approx((probabilities.argmax(1) == labels).mean())
    assert curve[-1].accuracy > curve[0].accuracy + 0.1
    for point in curve:
        kept = (probabilities.max(axis=1) >= point.threshold).mean()
        assert point.coverage - 1e-9 <= kept <= point.coverage + 0.01


def test_series_have_thresholds_of_their_own():
    probabilities, labels = honest(400)
    found = fit_calibration(probabilities, labels, rows(400))
    assert set(found.coverage) == {"pixels/image", "pixels/series"}
    assert found.coverage["pixels/series"][3].threshold < 1


def test_no_images_cannot_calibrate():
    with pytest.raises(NothingToFitError, match="validate"):
        fit_calibration(np.empty((0, 4)), np.empty(0, int), rows(0))
