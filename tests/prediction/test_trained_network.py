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
