"""Which parts of an image speak for a class: Grad-CAM (Selvaraju et al., ICCV 2017).

A map says where evidence was found, not that it is the right evidence: read it beside the probe of the dataset.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modality_assets.learning.inference import LoadedModel

_SMALLEST_MAP = 4
"""The layer looked at is the last whose maps have at least this many rows and columns; 2×2 says nothing of places."""


def grad_cam(model: LoadedModel, images: np.ndarray, classes: Sequence[int] | None = None) -> np.ndarray:
    """Return maps (N, H, W) float32 in [0, 1] of what in ``images`` (N, H, W) speaks for ``classes``.

    ``images`` are rescaled and of the contract's size, as for `LoadedModel.logits`; ``classes`` are
    class indices, by default those predicted. Each map is scaled by its own maximum; one of zeros says
    that nothing at this layer speaks for the class. Raises `ShardsDisagreeError` for another size.
    """
    inputs = model.prepare(images)
    layer = _layer_with_places(model.network, inputs[:1])
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # layers that follow may overwrite what they are given

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = model.network(inputs.requires_grad_())
            chosen = logits.argmax(dim=1) if classes is None else torch.as_tensor(classes, device=logits.device)
            scores = logits.gather(1, chosen.view(-1, 1)).sum()
            (gradients,) = torch.autograd.grad(scores, kept[-1])
    finally:
        handle.remove()
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    maps = (weights * kept[-1].detach()).sum(dim=1, keepdim=True).relu()
    maps = F.interpolate(maps, size=inputs.shape[-2:], mode="bilinear", align_corners=False)
    highest = maps.amax(dim=(1, 2, 3), keepdim=True)
    scaled: np.ndarray = (maps / highest.clamp(min=torch.finfo(maps.dtype).tiny))[:, 0].cpu().numpy()
    return scaled


def _layer_with_places(network: nn.Module, image: Tensor) -> nn.Module:
    """Return the last module, in the order of computation, that gives maps of enough rows and columns."""
    found: list[nn.Module] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        # VGG's adaptive pooling enlarges small maps again, which adds no places
        is_map = isinstance(output, Tensor) and output.ndim == 4 and not isinstance(module, nn.AdaptiveAvgPool2d)
        if is_map and min(output.shape[-2:]) >= _SMALLEST_MAP:  # type: ignore[attr-defined]
            found.append(module)

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return found[-1]
