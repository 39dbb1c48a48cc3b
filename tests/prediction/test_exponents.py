import numpy as np
import pytest

from modality_assets.prediction.calibration import power
from modality_assets.prediction.exponents import count_groups, even_weights, fit_exponents


def test_classes_and_their_datasets_weigh_the_same():
    classes = np.array([0] * 90 + [1] * 10)
    datasets = np.array(["a"] * 80 + ["b"] * 10 + ["c"] * 10)
    weights = even_weights(classes, datasets)
    sums = [weights[datasets == name].sum() for name in "abc"]
    assert sums == pytest.approx([25, 25, 50])
    assert len(even_weights([], [])) == 0


def test_groups_are_pairs_of_class_and_dataset():
    assert count_groups(np.array([0, 0, 1, 1]), np.array(["a", "b", "a", "a"])) == 3


def test_an_exponent_that_was_applied_is_found_again():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 4000)
    labels = (rng.random((4000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    datasets = np.arange(4000) % 50
    (found,) = fit_exponents(lambda x: power(power(probabilities, 0.5), x), labels, datasets, [1.0])
    assert found == pytest.approx(2, rel=0.15)


def test_a_wider_prior_gives_way_sooner():
    right = np.tile([[0.6, 0.2, 0.1, 0.1]], (10, 1))
    labels, datasets = np.zeros(10, int), np.arange(10) // 5

    def model(x):
        return power(right, x)

    (narrow,) = fit_exponents(model, labels, datasets, [1.0])
    (wide,) = fit_exponents(model, labels, datasets, [1.0], spread=2.0)
    assert 1 < narrow < wide < 10
