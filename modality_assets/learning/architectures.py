"""The networks by name, each with a single-channel stem and one output per class.

A new architecture is one function with `@architecture`: it returns the torchvision network for
``classes`` outputs; `build` replaces the stem. Input is (N, 1, H, W) float32, H and W at least 32
(64 and 224 are what the project uses); output is (N, classes) float32 logits.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torchvision import models

from modality_assets.learning.efficientnet_lite import EfficientNetLite0
from modality_assets.learning.errors import UnknownArchitectureError
from modality_assets.learning.pretrained import load_pretrained
from modality_assets.learning.stems import single_channel

_Builder = Callable[[int], nn.Module]
_ARCHITECTURES: dict[str, _Builder] = {}


def architecture(function: _Builder) -> _Builder:
    """Register ``function`` under its name."""
    _ARCHITECTURES[function.__name__] = function
    return function


def names() -> tuple[str, ...]:
    """Return the names of all architectures, in the order of their definition."""
    return tuple(_ARCHITECTURES)


def build(name: str, classes: int = 4, *, seed: int | None = None, pretrained: Path | None = None) -> nn.Module:
    """Return network ``name`` for images (N, 1, H, W) and ``classes`` outputs, in train mode on the CPU.

    With ``seed`` the weights depend on it alone, and the global generator is left as it was. With
    ``pretrained``, a safetensors file of torchvision's weights for three channels, the stem is summed
    over RGB and a classifier of another size keeps its fresh weights.

    Raises `UnknownArchitectureError`, and `DamagedModelError` for a file that does not fit.
    """
    if name not in _ARCHITECTURES:
        raise UnknownArchitectureError(f"architecture {name!r} is unknown; choose one of {', '.join(names())}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        network = _ARCHITECTURES[name](classes)
        single_channel(network)
    if pretrained is not None:
        load_pretrained(network, pretrained)
    return network


@architecture
def resnet18(classes: int) -> nn.Module:
    return models.resnet18(num_classes=classes)


@architecture
def resnet34(classes: int) -> nn.Module:
    return models.resnet34(num_classes=classes)


@architecture
def resnet50(classes: int) -> nn.Module:
    return models.resnet50(num_classes=classes)


@architecture
def vgg16(classes: int) -> nn.Module:
    """Without batch normalisation, as published; at a learning rate of 0.1 it may never leave chance."""
    return models.vgg16(num_classes=classes)


@architecture
def vgg16_dropout(classes: int) -> nn.Module:
    """VGG16 with five dropout layers of p = 0.5.

    The published text gives their number and p, not their places. Here: the two that VGG16 has between
    its fully connected layers, and one after each of the last three convolutional blocks.
    """
    network = models.vgg16(num_classes=classes, dropout=0.5)
    layers: list[nn.Module] = []
    pools = 0
    for layer in network.features:
        layers.append(layer)
        pools += isinstance(layer, nn.MaxPool2d)
        if isinstance(layer, nn.MaxPool2d) and pools >= 3:
            layers.append(nn.Dropout(0.5))
    network.features = nn.Sequential(*layers)
    return network


@architecture
def densenet121(classes: int) -> nn.Module:
    return models.densenet121(num_classes=classes)


@architecture
def mnasnet1_0(classes: int) -> nn.Module:
    network = models.mnasnet1_0(num_classes=classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # torchvision's 0.0003 suits hundreds of epochs of ImageNet: after short training the running
            # statistics still are those of initialisation, and eval() is at chance while train() is at 94 %.
            module.momentum = 0.1
    # torchvision scales the classifier's weights by its number of outputs: made for 1000, for four they
    # are sixteen times too large and the first epochs go into shrinking them.
    network.classifier[1].reset_parameters()
    return network


@architecture
def convnext_tiny(classes: int) -> nn.Module:
    return models.convnext_tiny(num_classes=classes)


@architecture
def efficientnet_v2_s(classes: int) -> nn.Module:
    network = models.efficientnet_v2_s(num_classes=classes)
    network.classifier[1].reset_parameters()  # as for MNASNet: torchvision's are made for a thousand outputs
    return network


@architecture
def efficientnet_lite0(classes: int) -> nn.Module:
    return EfficientNetLite0(classes)
