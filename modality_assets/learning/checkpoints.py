"""The state of an unfinished run, in one file: tensors as safetensors, the rest as JSON in its header.

One file, one rename: a run killed at any moment leaves the whole old state or the whole new one.
No pickle, so a checkpoint from elsewhere cannot run code.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from modality_assets.learning.errors import CheckpointMismatchError
from modality_assets.learning.weights import load_weights
from modality_assets.modality import CLASSES

CHECKPOINT = "checkpoint/state.safetensors"
STOP = "checkpoint/stop"
"""A file of this name asks a run to end with its epoch; any machine that sees the folder can make it."""
IMAGE_SHAPE = "image shape"
_VERSION = 1


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write ``tensors`` and the JSON-able ``state`` as the checkpoint in ``folder``, whole or not at all."""
    path = folder / CHECKPOINT
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".*"):
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    header = {"state": json.dumps({"version": _VERSION, "classes": list(CLASSES), **state})}
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, header)
        # Not flushed to the disk: that would outlast the epoch on a slow one, and only a power cut, not a
        # kill, could lose what the kernel holds. Then `read_checkpoint` says so.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return the tensors and state of the checkpoint in ``folder``, or None where there is none.

    Raises `CheckpointMismatchError` for a file that is no checkpoint of this version and class order.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            if state["version"] != _VERSION or tuple(state["classes"]) != CLASSES:
                raise CheckpointMismatchError(
                    f"checkpoint {path}: version {state['version']} with the classes {state['classes']}, "
                    f"this run needs version {_VERSION} with {list(CLASSES)}; delete the file to start afresh"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointMismatchError(
            f"checkpoint {path}: not readable as one ({error}); delete the file to start afresh"
        ) from None


def require_same(state: Mapping[str, Any], expected: Mapping[str, Any], folder: Path) -> None:
    """Raise `CheckpointMismatchError` where ``state`` differs from ``expected``, naming the first difference."""
    for name, value in expected.items():
        if state.get(name) != value:
            raise CheckpointMismatchError(
                f"checkpoint {folder / CHECKPOINT}: its {name} is {state.get(name)!r}, this run's is {value!r}; "
                "delete the file to start afresh"
            )


def discard_other_shape(folder: Path, shape: Sequence[int]) -> None:
    """Remove the checkpoint in ``folder`` where its images are not of ``shape`` (channels, height, width).

    For a folder that is the caller's own, where it only means that images of another size are wanted now: with other
    settings or images of the same size a run starts afresh too. To anybody else such a file is a mistake.
    """
    found = read_checkpoint(folder)
    if found is not None and found[1].get(IMAGE_SHAPE) != list(shape):
        (folder / CHECKPOINT).unlink()


def network_tensors(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    """Return weights and buffers of ``network``, names prefixed."""
    return {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}


def restore_network(prefix: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors back into ``network``; shapes, devices and memory formats stay the network's own."""
    load_weights(network, {name: tensors[f"{prefix}{name}"] for name in network.state_dict()})


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as tensors named optimiser.<parameter number>.<key>; numbers become tensors."""
    return {
        f"optimiser.{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(float(value))
        for index, entries in optimiser.state_dict()["state"].items()
        for key, value in entries.items()
        if value is not None
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave.

    Tensors shaped like their parameter get its memory format too: a resumed step must run through the
    same vectorised code, or its last bits differ.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for name, saved in tensors.items():
        if not name.startswith("optimiser."):
            continue
        _, index, key = name.split(".", 2)
        parameter = parameters[int(index)]
        if saved.shape == parameter.shape:
            optimiser.state[parameter][key] = torch.empty_like(parameter, requires_grad=False).copy_(saved)
        else:
            optimiser.state[parameter][key] = saved.to(parameter.device, copy=True)
