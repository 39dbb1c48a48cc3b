import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, precision_recall_fscore_support

from modality_assets.evaluation import rates

CLASSES = range(4)


@given(arrays(np.int64, (50, 2), elements=st.integers(0, 3)))
def test_rates_are_those_of_scikit_learn(pairs):
    actual, predicted = pairs.T
    assume(len(set(actual) | set(predicted)) > 1)
    matrix = confusion_matrix(actual, predicted, labels=CLASSES)
    precision, recall, f1, _ = precision_recall_fscore_support(actual, predicted, labels=CLASSES, zero_division=np.nan)
    np.testing.assert_allclose(rates.precision(matrix), precision)
    np.testing.assert_allclose(rates.recall(matrix), recall)
    defined = np.isfinite(rates.f1(matrix))
    np.testing.assert_allclose(rates.f1(matrix)[defined], f1[defined])
    if len(set(actual)) > 1 and set(predicted) <= set(actual):  # elsewhere scikit-learn warns that it is ill-defined
        assert rates.balanced_accuracy(matrix) == pytest.approx(balanced_accuracy_score(actual, predicted))
    assert rates.accuracy(matrix) == pytest.approx((actual == predicted).mean())


def test_rates_of_many_matrices_are_the_rates_of_each():
    matrices = np.random.default_rng(0).integers(0, 9, (5, 4, 4))
    for rate in (rates.accuracy, rates.balanced_accuracy, rates.recall, rates.precision, rates.f1):
        np.testing.assert_allclose(rate(matrices), np.stack([rate(one) for one in matrices]))


def test_no_images_have_no_rate():
    nothing = np.zeros((4, 4))
    assert np.isnan(rates.accuracy(nothing))
    assert np.isnan(rates.balanced_accuracy(nothing))


def test_a_model_as_right_as_it_is_sure_has_no_calibration_error():
    bins = np.zeros((rates.BINS, 3))
    bins[12] = 10, 8, 8
    assert rates.calibration_error(bins) == 0


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy():
    bins = np.zeros((rates.BINS, 3))
    bins[14] = 10, 10, 5  # sure, and right half the time
    bins[3] = 30, 9, 9
    assert rates.calibration_error(bins) == pytest.approx(0.25 * 0.5)


def test_full_confidence_is_in_the_last_bin():
    assert rates.confidence_bin(np.array([0.0, 0.999, 1.0])).tolist() == [0, 14, 14]
