import numpy as np
import pytest

from modality_assets.evaluation.errors import TooFewImagesError
from modality_assets.evaluation.probe import SCHEMA, choose_images, probe_datasets, probe_table


def images(datasets: int = 6, patients: int = 8, slices: int = 5):
    """Names of datasets, patients and series, and class indices: two datasets of each class."""
    n = datasets * patients * slices
    dataset = np.arange(n) // (patients * slices)
    patient = np.arange(n) // slices
    names = np.array([f"D{i}" for i in dataset])
    return names, dataset // 2, np.array([f"p{i}" for i in patient]), np.array([f"s{i}" for i in patient])


def probe(features, names, labels, patients, series, seed=0):
    chosen = choose_images(names, patients, series, seed=seed)
    return probe_datasets(features[chosen.rows], names, labels, chosen)


def test_features_that_hold_the_dataset_are_found_out():
    names, labels, patients, series = images()
    rng = np.random.default_rng(0)
    features = np.eye(6)[[int(name[1:]) for name in names]] + rng.normal(0, 0.1, (len(names), 6))
    found = probe(features, names, labels, patients, series)
    assert found.accuracy > 0.95
    assert found.from_class == pytest.approx(0.5, abs=0.01)  # two datasets share each class
    assert found.record()["shortcut"] > 0.9
    assert (found.datasets, found.chance) == (6, pytest.approx(1 / 6))


def test_features_that_hold_the_class_alone_know_no_more_than_the_class():
    names, labels, patients, series = images()
    rng = np.random.default_rng(0)
    features = np.eye(3)[labels] + rng.normal(0, 0.05, (len(names), 3))
    found = probe(features, names, labels, patients, series)
    assert found.accuracy == pytest.approx(0.5, abs=0.12)
    assert found.record()["shortcut"] < 0.25


def test_what_a_model_remembers_of_single_patients_does_not_count():
    names, labels, patients, series = images()
    features = np.random.default_rng(0).normal(size=(len(names) // 5, 20)).repeat(5, axis=0)  # same in all slices
    assert probe(features, names, labels, patients, series).accuracy < 0.4


def test_a_dataset_of_one_patient_is_halved_by_series_and_one_of_one_series_left_out():
    names, labels, patients, series = images()
    patients[names == "D0"] = "only"
    patients[names == "D1"] = "one"
    series[names == "D1"] = "one"
    features = np.eye(6)[[int(name[1:]) for name in names]]
    found = probe(features, names, labels, patients, series)
    assert found.left_out == ["D1"]
    assert set(found.per_dataset) == {"D0", "D2", "D3", "D4", "D5"}


def test_one_dataset_cannot_be_probed():
    names, _, patients, series = images(datasets=1)
    with pytest.raises(TooFewImagesError, match="two"):
        choose_images(names, patients, series)


def test_a_probe_repeats_with_its_seed():
    names, labels, patients, series = images()
    features = np.random.default_rng(0).normal(size=(len(names), 4))
    one = probe(features, names, labels, patients, series, seed=1)
    assert one == probe(features, names, labels, patients, series, seed=1)


def test_no_patient_is_on_both_sides_and_a_large_dataset_is_sampled():
    names, _, patients, series = images(datasets=3, patients=40, slices=60)
    chosen = choose_images(names, patients, series)
    assert not set(patients[chosen.rows[chosen.fitted]]) & set(patients[chosen.rows[~chosen.fitted]])
    assert [int((names[chosen.rows] == name).sum()) for name in ("D0", "D1", "D2")] == [1000, 1000, 1000]
    assert (np.diff(chosen.rows) > 0).all()


def test_probes_side_by_side_stand_beside_chance_class_and_an_untrained_network():
    names, labels, patients, series = images()
    features = np.eye(6)[[int(name[1:]) for name in names]]
    record = probe(features, names, labels, patients, series).record()
    model = {"architecture": "resnet18", "rescaling": "image_range"}
    table = probe_table({"resnet18-image_range": {"model": model, "probe": record, "untrained": {"accuracy": 0.4}}})
    assert table.schema == SCHEMA
    row = table.row(0, named=True)
    assert (row["accuracy"], row["untrained"], row["datasets"]) == (1.0, 0.4, 6)
    assert row["chance"] < row["from_class"] < row["accuracy"]
    assert probe_table({}).schema == SCHEMA
