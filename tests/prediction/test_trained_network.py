import numpy as np
import pytest
import torch

from modality_assets.learning import architectures
from modality_assets.learning.errors import DamagedModelError
from modality_assets.learning.model_files import InputContract, TrainingResult, write_model
from modality_assets.prediction.predictor import Predictor


@pytest.fixture
def model_folder(tmp_path):
    network = architectures.build("mnasnet1_0", 4, seed=0)
    contract = InputContract(32, 32, "image_range", 0.5, 0.25)
    write_model(TrainingResult("mnasnet1_0", contract, network.state_dict(), {}, []), tmp_path / "model")
    return tmp_path / "model"


def test_a_models_folder_predicts_files(model_folder, picture, tmp_path):
    picture(tmp_path / "x.png")
    predictor = Predictor.load(model_folder, device="cpu")
    (one,) = predictor.predict([tmp_path / "x.png"])
    assert one.error is None
    pixels = np.zeros((1, 32, 32), np.float32)
    assert predictor.network.probabilities(pixels).shape == (1, 4)
    assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert predictor.network.contract.size == 32


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(DamagedModelError, match=str(tmp_path)):
        Predictor.load(tmp_path)


def test_loading_needs_no_gpu(model_folder):
    assert Predictor.load(model_folder, device="cpu").network.model.device == torch.device("cpu")


def test_saliency_is_a_map_for_each_image_of_what_speaks_for_the_class_asked_for(model_folder):
    predictor = Predictor.load(model_folder, device="cpu")
    images = np.random.default_rng(0).random((2, 32, 32), np.float32)
    maps = predictor.saliency(images, ["CT", "XR"])
    assert maps.shape == (2, 32, 32)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    other = predictor.saliency(images, ["MR", "XR"])
    assert not np.array_equal(maps[0], other[0])
    assert np.array_equal(maps[1], other[1])
