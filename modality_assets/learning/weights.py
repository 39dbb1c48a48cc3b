"""Putting weights into a network."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy ``weights``, all of them, into ``network``; raise ValueError saying which do not fit.

    Shapes, devices and memory formats stay the network's own.
    """
    state = OrderedDict(weights)
    # torchvision's MNASNet refuses weights without the version that PyTorch keeps as an attribute of the
    # dictionary, and that no safe file format stores.
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined]
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[-1].strip()) from None
