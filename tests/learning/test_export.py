import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from modality_assets.learning import architectures
from modality_assets.learning.export import METADATA_KEY, export_onnx
from modality_assets.learning.inference import LoadedModel
from modality_assets.learning.model_files import InputContract


def model_of(name: str) -> LoadedModel:
    network = architectures.build(name, seed=0).eval()
    contract = InputContract(64, 64, "image_range", 0.2, 0.3)
    return LoadedModel(name, network, contract, {"seed": 7}, torch.device("cpu"))


@pytest.mark.parametrize("name", ["resnet18", "mnasnet1_0"])
def test_the_exported_file_gives_the_same_logits_for_any_number_of_images(tmp_path, name):
    model = model_of(name)
    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 5):
        images = np.random.default_rng(count).random((count, 64, 64), dtype=np.float32)
        (logits,) = session.run(["logits"], {"images": images[:, None]})
        np.testing.assert_allclose(logits, model.logits(images), rtol=1e-3, atol=1e-4)


def test_the_file_says_what_it_expects_and_what_it_was_trained_on(tmp_path):
    export_onnx(model_of("resnet18"), tmp_path / "model.onnx", {"licences": ["CC BY 4.0"]})
    properties = {item.key: item.value for item in onnx.load(tmp_path / "model.onnx").metadata_props}
    described = json.loads(properties[METADATA_KEY])
    assert described["classes"] == ["CT", "MR", "PT", "XR"]
    assert described["input"]["rescaling"] == "image_range"
    assert described["training"]["seed"] == 7
    assert described["licences"] == ["CC BY 4.0"]
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
