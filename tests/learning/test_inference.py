import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modality_assets.learning.errors import DamagedModelError, ShardsDisagreeError
from modality_assets.learning.inference import features, load_model, measure_latency, predict, untrained
from modality_assets.learning.model_files import CONFIG, HISTORY, WEIGHTS, write_model
from modality_assets.learning.recipes import recipe
from modality_assets.learning.training import TrainingConfig, train
from modality_assets.modality import ClassOrderError


@pytest.fixture
def model_folder(make_shards, tmp_path, tiny):
    """A trained model, its class quarters learnt, standardised by its split."""
    chosen = recipe(
        "quick",
        epochs=8,
        batch_size=8,
        learning_rate=0.01,
        standardise=True,
        augmentation=recipe("dissertation").augmentation,
    )
    result = train(
        make_shards("train", 80),
        make_shards("validate", 24),
        tmp_path / "run",
        TrainingConfig(tiny, "image_range", chosen, seed=1, device="cpu", plan="optimised"),
    )
    write_model(result, tmp_path / "model")
    return tmp_path / "model"


def test_a_written_model_predicts_as_it_did_when_trained(model_folder, make_shards):
    model = load_model(model_folder, device="cpu")
    validate = make_shards("validate2", 24)
    probabilities = predict(model, validate)
    assert probabilities.shape == (24, 4)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    history = [json.loads(line) for line in (model_folder / HISTORY).read_text().splitlines()]
    assert (probabilities.argmax(axis=1) == validate.labels).mean() == history[-1]["validate_accuracy"] == 1


def test_predictions_are_in_the_order_of_the_rows_whatever_the_batch_size(model_folder, make_shards):
    model, reader = load_model(model_folder, device="cpu"), make_shards("test", 21)
    np.testing.assert_allclose(predict(model, reader, batch_size=4), predict(model, reader), rtol=1e-3, atol=1e-5)


def test_probabilities_of_arrays_are_those_of_shards(model_folder, make_shards):
    model, reader = load_model(model_folder, device="cpu"), make_shards("test", 8)
    images = reader.gather(np.arange(8)) / np.float32(65535)
    np.testing.assert_allclose(model.probabilities(images), predict(model, reader), rtol=1e-3, atol=1e-5)


def test_the_configuration_says_all_that_a_stranger_needs(model_folder):
    config = json.loads((model_folder / CONFIG).read_text())
    assert config["classes"] == ["CT", "MR", "PT", "XR"]
    assert config["input"].keys() == {"height", "width", "channels", "rescaling", "mean", "std"}
    assert config["input"]["mean"] > 0
    assert (config["recipe"]["name"], config["seed"], config["plan"]) == ("quick", 1, "optimised")


def test_features_are_what_the_last_layer_sees(model_folder, make_shards):
    model, reader = load_model(model_folder, device="cpu"), make_shards("test", 9)
    seen = features(model, reader, batch_size=4)
    assert seen.shape == (9, 64)
    head = model.network[-1]
    with torch.inference_mode():
        probabilities = head(torch.from_numpy(seen)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, predict(model, reader, batch_size=4), rtol=1e-4, atol=1e-6)


def test_features_of_some_rows_are_those_rows_of_all(model_folder, make_shards):
    model, reader = load_model(model_folder, device="cpu"), make_shards("test", 9)
    rows = np.array([1, 4, 8])
    np.testing.assert_allclose(features(model, reader, rows=rows), features(model, reader)[rows], rtol=1e-5)
    assert features(model, reader, rows=rows[:0]).shape == (0, 64)


def test_the_untrained_control_has_the_same_shape_and_other_features(model_folder, make_shards):
    model, reader = load_model(model_folder, device="cpu"), make_shards("test", 9)
    control = untrained(model, seed=1)
    assert not control.network.training
    assert not np.allclose(features(control, reader), features(model, reader))


def test_latency_is_that_of_the_network_and_grows_with_the_batch(model_folder):
    figures = measure_latency(load_model(model_folder, device="cpu"), batch_sizes=(1, 64), seconds=0.1)
    assert figures.keys() == {
        f"batch_{size}_{what}" for size in (1, 64) for what in ("ms_per_image", "images_per_second")
    }
    assert figures["batch_64_ms_per_image"] * 64 > figures["batch_1_ms_per_image"] > 0


def test_a_model_of_another_class_order_is_refused(model_folder):
    config = json.loads((model_folder / CONFIG).read_text())
    (model_folder / CONFIG).write_text(json.dumps(config | {"classes": ["MR", "PT", "CT", "XR"]}))
    with pytest.raises(ClassOrderError):
        load_model(model_folder)


def test_weights_that_are_not_finite_or_do_not_fit_are_refused(model_folder):
    weights = load_file(model_folder / WEIGHTS)
    save_file(weights | {"9.bias": torch.full((4,), torch.nan)}, model_folder / WEIGHTS)
    with pytest.raises(DamagedModelError, match=r"9\.bias"):
        load_model(model_folder)
    save_file(weights | {"9.bias": torch.zeros(5)}, model_folder / WEIGHTS)
    with pytest.raises(DamagedModelError, match=r"do not fit.*9\.bias"):
        load_model(model_folder)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_model_without_one_of_its_files_is_refused(model_folder, name):
    (model_folder / name).unlink()
    with pytest.raises(DamagedModelError, match="materialise trained_model again"):
        load_model(model_folder)


def test_shards_of_another_rescaling_or_shape_are_refused(model_folder, make_shards):
    model = load_model(model_folder, device="cpu")
    with pytest.raises(ShardsDisagreeError, match="dtype_range"):
        predict(model, make_shards("test", 8, rescaling="dtype_range"))
    with pytest.raises(ShardsDisagreeError, match="48×48"):
        predict(model, make_shards("test", 8, size=48))
