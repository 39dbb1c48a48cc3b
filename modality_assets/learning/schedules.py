"""The learning rate over a run.

One-cycle and cosine depend on the position in the run alone; the plateau also on the losses so far.
"""

import math
from collections.abc import Sequence

from modality_assets.learning.recipes import Recipe

_PLATEAU_THRESHOLD = 1e-4
"""Relative; a training loss that improves by less counts as not improved (PyTorch's default)."""


def learning_rate(recipe: Recipe, position: float, epoch_losses: Sequence[float] = ()) -> float:
    """Return the rate at ``position``, the share in [0, 1) of the run's steps that are done.

    ``epoch_losses`` are the training losses of the finished epochs, which only the plateau reads: it
    divides the rate by ten after every epoch whose loss did not improve on the best before it.
    """
    if recipe.schedule == "plateau":
        factor = 0.1 ** _reductions(epoch_losses)
    else:
        factor = _cosine(position, recipe.warmup_share)
    return recipe.learning_rate * factor


def momentum(recipe: Recipe, position: float) -> float:
    """Return SGD's momentum at ``position``; one-cycle lowers it while the rate is high (Smith 2018)."""
    if recipe.schedule != "one_cycle":
        return recipe.momentum
    return recipe.momentum - 0.1 * _cosine(position, recipe.warmup_share)


def _cosine(position: float, warmup_share: float) -> float:
    if position < warmup_share:
        return 0.04 + 0.96 * position / warmup_share
    fallen = (position - warmup_share) / (1 - warmup_share)
    return max(1e-3, (1 + math.cos(math.pi * fallen)) / 2)


def _reductions(losses: Sequence[float]) -> int:
    best, reductions = math.inf, 0
    for loss in losses:
        if loss < best * (1 - _PLATEAU_THRESHOLD):
            best = loss
        else:
            reductions += 1
    return reductions
