import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from modality_assets.prediction.forest import Forest


@pytest.fixture
def fitted():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 5)) * 100
    labels = (rows[:, 0] > 0) + 2 * (rows[:, 3] > 50)
    model = ExtraTreesClassifier(20, min_samples_leaf=3, random_state=0).fit(rows, labels)
    return model, Forest.of_trees([tree.tree_ for tree in model.estimators_])


def test_a_forest_gives_the_shares_that_scikit_learn_gives(fitted):
    model, forest = fitted
    rows = np.random.default_rng(1).normal(size=(1000, 5)) * 150
    np.testing.assert_allclose(forest.shares(rows), model.predict_proba(rows), atol=1e-6)


def test_a_forest_comes_back_from_its_tensors(fitted):
    rows = np.random.default_rng(1).normal(size=(50, 5))
    again = Forest.of_tensors(fitted[1].tensors(), features=5)
    np.testing.assert_array_equal(again.shares(rows), fitted[1].shares(rows))


def test_no_rows_have_no_shares(fitted):
    assert fitted[1].shares(np.empty((0, 5))).shape == (0, 4)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("left", np.zeros_like),  # a circle: evaluation would never end
        ("right", lambda array: array + 100_000),
        ("feature", lambda array: array + 5),
        ("threshold", lambda array: array * np.nan),
        ("threshold", lambda array: array[:, :-1]),
        ("value", lambda array: array[:1]),
    ],
)
def test_arrays_that_are_no_forest_are_refused(fitted, name, damage):
    tensors = fitted[1].tensors()
    tensors[name] = damage(tensors[name])
    with pytest.raises(ValueError, match="no forest"):
        Forest.of_tensors(tensors, features=5)
