"""Weights trained elsewhere: from a file of torchvision's names, as safetensors only, or from the installation."""

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from modality_assets.learning.efficientnet_lite import photograph_weights
from modality_assets.learning.errors import DamagedModelError
from modality_assets.learning.stems import stem_name
from modality_assets.learning.weights import load_weights

_SHIPPED: dict[str, Callable[[], dict[str, Tensor]]] = {"efficientnet_lite0": photograph_weights}


def load_shipped(network: nn.Module, architecture: str) -> None:
    """Copy the weights that the installation has for ``architecture`` into ``network``, whose stem has one channel.

    The classifier keeps its fresh weights. Raises `DamagedModelError` where there are none.
    """
    if architecture not in _SHIPPED:
        raise DamagedModelError(
            f"no pretrained weights come with the installation for {architecture}: name a file of them under the "
            f"setting `pretrained`, or choose one of {', '.join(_SHIPPED)}"
        )
    own = network.state_dict()
    head = head_name(network)
    classifier = {name: tensor for name, tensor in own.items() if name.startswith(f"{head}.")}
    _copy(network, classifier | _SHIPPED[architecture](), f"pretrained weights of {architecture}")


def load_pretrained(network: nn.Module, file: Path) -> None:
    """Copy the weights in ``file`` into ``network``, whose stem has one channel.

    A stem of three channels is summed over RGB. Tensors of the classifier (the last linear layer) are
    left out where the number of classes differs. Anything else that is missing, unknown or of another
    shape raises `DamagedModelError`: half-loaded weights look like training that went badly.
    """
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise DamagedModelError(
            f"pretrained weights {file}: {error}; they must be a safetensors file of a torchvision network's state_dict"
        ) from None
    _copy(network, weights, f"pretrained weights {file}")


def head_name(network: nn.Module) -> str:
    """Return the name of the classifier: the last child, which holds the last linear layer."""
    return [name for name, _ in network.named_children()][-1]


def freeze_features(network: nn.Module) -> None:
    """Let only the classifier of ``network`` learn, and normalise by the statistics that came with the weights."""
    head = head_name(network)
    for name, child in network.named_children():
        if name != head:
            child.requires_grad_(False).eval()


def _copy(network: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    own, weights = network.state_dict(), dict(weights)
    stem = f"{stem_name(network)}.weight"
    if stem in weights and weights[stem].shape[1] == 3:
        weights[stem] = weights[stem].sum(dim=1, keepdim=True)
    head = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    for name in (f"{head}.weight", f"{head}.bias"):
        if name in weights and weights[name].shape != own[name].shape:
            weights[name] = own[name]
    wrong = [name for name, tensor in weights.items() if name in own and tensor.shape != own[name].shape]
    foreign = sorted(set(weights) - set(own))
    # num_batches_tracked only matters for BatchNorm without momentum; older files lack it
    missing = sorted(name for name in set(own) - set(weights) if not name.endswith("num_batches_tracked"))
    if wrong or foreign or missing:
        first = (wrong or foreign or missing)[0]
        kind = "another shape" if wrong else "no place in the network" if foreign else "no value in the file"
        raise DamagedModelError(f"{what}: {first!r} has {kind}; are they of another architecture?")
    load_weights(network, own | weights)
