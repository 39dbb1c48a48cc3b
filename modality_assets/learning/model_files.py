"""A trained model as files that anything can open: weights.safetensors, config.json, history.jsonl."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from modality_assets.learning.errors import DamagedModelError
from modality_assets.manifest import write_json
from modality_assets.modality import CLASSES, check_classes

WEIGHTS, CONFIG, HISTORY = "weights.safetensors", "config.json", "history.jsonl"


@dataclass(frozen=True)
class InputContract:
    """What a network expects: (N, 1, height, width) float32, rescaled by ``rescaling``, (x - mean) / std."""

    height: int
    width: int
    rescaling: str
    mean: float
    std: float
    channels: int = 1

    def standardise(self, images: Tensor) -> Tensor:
        """Return rescaled images in [0, 1] as the network wants them."""
        return images if (self.mean, self.std) == (0.0, 1.0) else (images - self.mean) / self.std


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: weights on the CPU, one row of history per epoch, what config.json says."""

    architecture: str
    contract: InputContract
    weights: dict[str, Tensor]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    seconds: float = 0.0
    stopped_early: bool = False


def write_model(result: TrainingResult, staged: Path) -> None:
    """Write weights.safetensors, config.json and history.jsonl of ``result`` into ``staged``."""
    staged.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in result.weights.items()}
    named = {"architecture": result.architecture, "classes": list(CLASSES)}
    # One entry: safetensors writes several in an order of chance, and equal weights would not be equal files.
    save_file(tensors, staged / WEIGHTS, {"model": json.dumps(named)})
    described = named | {"input": asdict(result.contract)}
    write_json(staged / CONFIG, described | result.config)
    (staged / HISTORY).write_text("".join(json.dumps(row) + "\n" for row in result.history))


def read_model(folder: Path) -> TrainingResult:
    """Return what `write_model` wrote into ``folder``.

    Raises `DamagedModelError` for files missing or unreadable and weights that are not finite, and
    `ClassOrderError` for a model of other classes.
    """
    try:
        config = json.loads((folder / CONFIG).read_text())
        weights = load_file(folder / WEIGHTS)
        lines = (folder / HISTORY).read_text().splitlines() if (folder / HISTORY).exists() else []
        history = [json.loads(line) for line in lines]
        contract = InputContract(**config["input"])
        architecture, classes = config["architecture"], config["classes"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DamagedModelError(
            f"model {folder}: cannot be read ({type(error).__name__}: {error}); materialise trained_model again"
        ) from None
    check_classes(classes, folder / CONFIG)
    if bad := [name for name, tensor in weights.items() if not bool(torch.isfinite(tensor).all())]:
        raise DamagedModelError(f"model {folder}: weight {bad[0]!r} is not finite; materialise trained_model again")
    return TrainingResult(
        architecture,
        contract,
        weights,
        config,
        history,
        seconds=sum(row["seconds"] for row in history),
        stopped_early=bool(history) and bool(history[-1]["stopped"]),
    )
