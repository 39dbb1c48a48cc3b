"""The optimiser of a recipe, fused where PyTorch can."""

import torch
from torch import nn

from modality_assets.learning.recipes import Recipe


def make_optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return SGD or AdamW over the weights of ``network``.

    SGD's weight decay is the published L2 penalty, on everything. AdamW spares biases and
    normalisation, whose size says nothing about overfitting.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
            fused=True,
        )
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def set_rates(optimiser: torch.optim.Optimizer, learning_rate: float, momentum: float) -> None:
    """Give every group its learning rate, and SGD its momentum."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
        if "momentum" in group:
            group["momentum"] = momentum
