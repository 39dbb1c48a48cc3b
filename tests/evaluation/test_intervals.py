import time

import numpy as np
import pytest

from modality_assets.evaluation.intervals import bootstrap


def accuracy(sums):
    return (sums[:, 0] / sums[:, 1])[:, None]


def patients(right, of, dataset):
    return np.stack([np.asarray(right), np.broadcast_to(of, len(right))], axis=1), np.asarray(dataset)


def width(counts, codes, seed=0):
    low, high = bootstrap(counts, codes, accuracy, seed=seed)[0]
    return high - low


def test_the_interval_holds_the_figure_and_repeats_with_its_seed():
    counts, codes = patients(np.arange(40) % 11, 10, np.arange(40) % 8)
    limits = bootstrap(counts, codes, accuracy, seed=3)
    assert limits[0, 0] < accuracy(counts.sum(axis=0, keepdims=True))[0, 0] < limits[0, 1]
    np.testing.assert_array_equal(limits, bootstrap(counts, codes, accuracy, seed=3))
    assert (limits != bootstrap(counts, codes, accuracy, seed=4)).any()


def test_more_images_of_the_same_patients_do_not_narrow_the_interval():
    right, dataset = np.array([1, 0, 1, 1, 0, 1, 1, 1]), np.arange(8) // 2
    few, codes = patients(right, 1, dataset)
    np.testing.assert_allclose(bootstrap(few, codes, accuracy, seed=0), bootstrap(few * 1000, codes, accuracy, seed=0))


def test_patients_of_few_datasets_are_less_evidence_than_as_many_of_many_datasets():
    right = np.repeat([1, 1, 0, 1], 25)
    few, codes = patients(right, 1, np.repeat(np.arange(4), 25))
    many, spread = patients(right, 1, np.arange(100))
    assert width(few, codes) > 2 * width(many, spread)


def test_with_one_patient_per_dataset_it_is_the_bootstrap_over_datasets():
    rng = np.random.default_rng(0)
    right = rng.integers(0, 11, 30)
    counts, codes = patients(right, 10, np.arange(30))
    means = rng.choice(right, (4000, 30)).mean(axis=1) / 10
    np.testing.assert_allclose(
        bootstrap(counts, codes, accuracy, seed=0)[0], np.quantile(means, [0.025, 0.975]), atol=0.02
    )


def test_one_patient_has_no_interval():
    assert np.isnan(bootstrap(*patients([3], 4, [0]), accuracy, seed=0)).all()


def test_replicates_in_which_a_value_is_unknown_are_left_out():
    counts, codes = patients([1, 0, 0], [1, 0, 0], [0, 1, 2])  # only the first dataset has images to be right on
    with np.errstate(invalid="ignore"):
        assert bootstrap(counts, codes, accuracy, seed=0)[0].tolist() == [1, 1]


def test_the_order_of_patients_and_the_numbering_of_datasets_do_not_matter_to_the_draws():
    counts, codes = patients(np.arange(12) % 5, 5, np.repeat([0, 1, 2], 4))
    np.testing.assert_array_equal(
        bootstrap(counts, codes, accuracy, seed=0), bootstrap(counts, codes * 7 + 2, accuracy, seed=0)
    )


def test_a_hundred_thousand_patients_take_seconds():
    rng = np.random.default_rng(0)
    counts, codes = patients(rng.integers(0, 2, 100_000), 1, rng.integers(0, 100, 100_000))
    start = time.perf_counter()
    limits = bootstrap(counts, codes, accuracy, seed=0, replicates=100)
    assert time.perf_counter() - start < 10
    assert limits[0] == pytest.approx([0.5, 0.5], abs=0.02)
