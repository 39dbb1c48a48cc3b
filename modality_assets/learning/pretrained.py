"""Weights trained elsewhere, from a file: torchvision's names, safetensors only."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from modality_assets.learning.errors import DamagedModelError
from modality_assets.learning.stems import stem_name
from modality_assets.learning.weights import load_weights


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
    own = network.state_dict()
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
        raise DamagedModelError(f"pretrained weights {file}: {first!r} has {kind}; are they of another architecture?")
    load_weights(network, own | weights)
