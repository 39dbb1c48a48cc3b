"""A running average of the weights, which generalises better than the last step's weights."""

import copy

import torch
from torch import Tensor, nn


class AveragedNetwork:
    """An exponential moving average of a network's weights and of its batch-norm statistics.

    Early on the average follows quickly, by min(decay, (1 + t) / (10 + t)), so that a short run does
    not end as an average over its own random start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards ``network`` by one step."""
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        own, new = self.network.state_dict(), network.state_dict()
        floats: list[Tensor] = []
        targets: list[Tensor] = []
        for name, tensor in own.items():
            if tensor.is_floating_point():
                floats.append(tensor)
                targets.append(new[name])
            else:
                tensor.copy_(new[name])
        torch._foreach_lerp_(floats, targets, weight)
        self.updates += 1
