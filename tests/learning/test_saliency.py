import numpy as np
import pytest
import torch

from modality_assets.learning import architectures
from modality_assets.learning.errors import ShardsDisagreeError
from modality_assets.learning.inference import LoadedModel
from modality_assets.learning.model_files import InputContract
from modality_assets.learning.saliency import grad_cam


def model_of(name: str, size: int = 64) -> LoadedModel:
    network = architectures.build(name, seed=0).eval()
    return LoadedModel(name, network, InputContract(size, size, "image_range", 0.2, 0.3), {}, torch.device("cpu"))


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mnasnet1_0", "convnext_tiny", "efficientnet_v2_s"])
def test_every_kind_of_architecture_gives_a_map_as_large_as_the_image(name):
    images = np.random.default_rng(0).random((2, 64, 64), dtype=np.float32)
    maps = grad_cam(model_of(name), images, [0, 3])
    assert maps.shape == (2, 64, 64)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_what_speaks_for_the_class_is_where_the_evidence_was_put():
    class Corners(torch.nn.Module):
        """Class 0 is bright pixels; the map is the image itself."""

        def __init__(self):
            super().__init__()
            self.pool = torch.nn.AvgPool2d(8)

        def forward(self, images):
            bright = self.pool(images).mean(dim=(1, 2, 3))
            return torch.stack([bright, -bright], dim=1)

    contract = InputContract(64, 64, "image_range", 0.0, 1.0)
    model = LoadedModel("corners", Corners().eval(), contract, {}, torch.device("cpu"))
    image = np.zeros((1, 64, 64), np.float32)
    image[0, 40:56, 8:24] = 1
    for_bright, against = grad_cam(model, image, [0])[0], grad_cam(model, image, [1])[0]
    assert for_bright[40:56, 8:24].mean() > 0.6
    assert for_bright[:24, 40:].max() == 0
    assert against.max() == 0


def test_maps_leave_the_network_without_gradients_and_hooks():
    model = model_of("resnet18")
    grad_cam(model, np.full((1, 64, 64), 0.5, np.float32))
    assert all(parameter.grad is None for parameter in model.network.parameters())
    assert not any(module._forward_hooks for module in model.network.modules())


def test_images_of_another_size_are_refused():
    with pytest.raises(ShardsDisagreeError, match="32×32"):
        grad_cam(model_of("resnet18"), np.zeros((1, 32, 32), np.float32))
