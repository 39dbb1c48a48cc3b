import numpy as np
import pytest
import torch
from torch import nn

from modality_assets.learning.model_files import InputContract
from modality_assets.learning.scoring import compute_logits, score

CONTRACT = InputContract(32, 32, "image_range", 0.0, 1.0)


class Watching(nn.Module):
    """Notes the mode it is used in."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(32 * 32, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return self.layers(images)


def test_networks_are_always_evaluated_in_eval_mode_and_given_back_as_they_were(make_shards):
    network = Watching().train()
    one, same = (
        compute_logits(network, make_shards(split, 20), CONTRACT, batch_size=8, device=torch.device("cpu"))
        for split in ("trial", "tribe")
    )
    assert network.modes == [False] * 6
    assert network.training
    assert torch.equal(one, same)


def test_scores_of_known_logits():
    logits = torch.tensor([[9.0, 0, 0, 0], [9.0, 0, 0, 0], [0, 9.0, 0, 0], [9.0, 0, 0, 0]])
    found = score(logits, np.array([0, 0, 0, 1], np.uint8))
    assert found.accuracy == pytest.approx(0.5)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 0) / 2)
    assert found.loss == pytest.approx(4.5, abs=0.01)
