"""The first convolution of a network, and how it is made to read one channel in place of three."""

import torch
from torch import nn


def stem_name(network: nn.Module) -> str:
    """Return the dotted name of the first convolution, the one that sees the image."""
    return next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))


def single_channel(network: nn.Module) -> None:
    """Replace the three-channel stem by one that reads (N, 1, H, W), its weights summed over RGB.

    Summing keeps every response to a grey image what it was to the same image in three equal channels,
    for random weights (their variance) as for trained ones.
    """
    name = stem_name(network)
    old = network.get_submodule(name)
    assert isinstance(old, nn.Conv2d)
    new = nn.Conv2d(
        1,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        new.weight.copy_(old.weight.sum(dim=1, keepdim=True))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    network.set_submodule(name, new)
