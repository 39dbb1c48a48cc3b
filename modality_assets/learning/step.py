"""One step of training: a batch forward and backward, in parts where memory is short, and the update."""

import contextlib
import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modality_assets.learning.devices import is_out_of_memory
from modality_assets.learning.errors import NotEnoughMemoryError
from modality_assets.learning.recipes import Recipe

_LOG = logging.getLogger(__name__)


class Stepper:
    """Takes steps with one network and one optimiser.

    ``parts`` is how many pieces a batch is computed in. Where the device runs out of memory it doubles,
    gradients are accumulated, and the run says so; the step stays a step over the whole batch, except
    that batch normalisation then sees the statistics of each piece.
    """

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe, dtype: torch.dtype | None
    ) -> None:
        self.network = network
        self.optimiser = optimiser
        self.recipe = recipe
        self.dtype = dtype
        self.parts = 1
        device = next(network.parameters()).device.type
        self.scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)

    def step(self, images: Tensor, labels: Tensor, *, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Train on images (n, 1, H, W) and labels (n,); return the summed loss and the number right, both float64.

        ``share`` scales the gradient: with several ranks it is this rank's images over an equal share.
        Raises `NotEnoughMemoryError` when not even one image fits.
        """
        while True:
            failure = ""
            try:
                loss, right = self._accumulate_gradients(images, labels, share)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error).splitlines()[0]
            if not failure:
                break
            # Out of the except block, whose traceback would keep the failed step's activations alive.
            self._split_further(len(images), failure)
        if self.recipe.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss, right

    def _accumulate_gradients(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.float64, device=images.device)
        right = torch.zeros((), dtype=torch.float64, device=images.device)
        pieces = list(zip(images.chunk(self.parts), labels.chunk(self.parts), strict=True))
        without_exchange: Callable[[], contextlib.AbstractContextManager[object]]
        without_exchange = getattr(self.network, "no_sync", contextlib.nullcontext)
        for number, (some_images, some_labels) in enumerate(pieces, start=1):
            with contextlib.nullcontext() if number == len(pieces) else without_exchange():
                with torch.autocast(images.device.type, self.dtype, enabled=self.dtype is not None):
                    logits = self.network(some_images)
                logits = logits.float()
                loss = F.cross_entropy(logits, some_labels, label_smoothing=self.recipe.label_smoothing)
                self.scaler.scale(loss * (share * len(some_labels) / len(labels))).backward()
            total += loss.detach().double() * len(some_labels)
            right += (logits.detach().argmax(dim=1) == some_labels).sum()
        return total, right

    def _split_further(self, images: int, failure: str) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.parts >= images:
            raise NotEnoughMemoryError(
                f"not even one image fits into memory ({failure}); choose a smaller image_size or architecture"
            )
        if hasattr(self.network, "no_sync"):
            raise NotEnoughMemoryError(
                f"one rank of several ran out of memory ({failure}); use more ranks or a recipe with smaller batches"
            )
        self.parts *= 2
        _LOG.warning("out of memory: batches of %d are now computed in %d parts (%s)", images, self.parts, failure)
