"""A trained model in use: loading, probabilities, features and how long an image takes."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modality_assets.learning import architectures
from modality_assets.learning.devices import choose_device, freed_memory_kept
from modality_assets.learning.errors import DamagedModelError, ShardsDisagreeError
from modality_assets.learning.model_files import InputContract, read_model
from modality_assets.learning.scoring import compute_logits
from modality_assets.learning.weights import load_weights
from modality_assets.modality import CLASSES, check_classes
from modality_assets.progress import SILENT, Progress
from modality_assets.shards.conversion import rescale_on_host
from modality_assets.shards.reader import ShardReader


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode, on its device, with what it expects of its input."""

    architecture: str
    network: nn.Module
    contract: InputContract
    config: dict[str, Any]
    device: torch.device

    def prepare(self, images: np.ndarray) -> Tensor:
        """Return rescaled ``images`` (N, H, W) as the network reads them: (N, 1, H, W) float32, standardised.

        Raises `ShardsDisagreeError` for images of another size than the contract's.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None].to(self.device)
        _check_shape(tuple(tensor.shape[-2:]), self.contract, "the images given")
        return self.contract.standardise(tensor)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits (N, classes) float32 of ``images`` (N, H, W), rescaled to [0, 1], of the contract's size."""
        inputs = self.prepare(images)
        with torch.inference_mode():
            logits: np.ndarray = self.network(inputs).float().cpu().numpy()
        return logits

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, classes) float32, rows summing to 1, of ``images`` as for `logits`."""
        return torch.from_numpy(self.logits(images)).softmax(dim=1).numpy()


def load_model(folder: Path, *, device: str = "auto") -> LoadedModel:
    """Load the model in ``folder``.

    Raises `DamagedModelError` where files are missing or weights do not fit or are not finite, and
    `ClassOrderError` where the model was trained for other classes.
    """
    files = read_model(folder)
    network = architectures.build(files.architecture, len(CLASSES), seed=0)
    try:
        load_weights(network, files.weights)
    except ValueError as error:
        raise DamagedModelError(
            f"model {folder}: the weights do not fit {files.architecture} ({error}); materialise trained_model again"
        ) from None
    target = choose_device(device)
    network = network.to(target).to(memory_format=torch.channels_last).eval()
    return LoadedModel(files.architecture, network, files.contract, files.config, target)


def predict(
    model: LoadedModel, reader: ShardReader, *, batch_size: int | None = None, progress: Progress = SILENT
) -> np.ndarray:
    """Return the class probabilities of every image of ``reader``, in its order: (N, classes) float32.

    ``batch_size`` None suits the device.
    Raises `ShardsDisagreeError` for shards of another rescaling or shape than the model was trained on.
    """
    _check_reader(model, reader)
    batch_size = batch_size or _images_at_once(model.device)
    with freed_memory_kept(model.device):
        logits = compute_logits(
            model.network, reader, model.contract, batch_size=batch_size, device=model.device, progress=progress
        )
    return logits.softmax(dim=1).numpy()


def features(
    model: LoadedModel,
    reader: ShardReader,
    *,
    rows: np.ndarray | None = None,
    batch_size: int | None = None,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Return what the last linear layer sees of images of ``reader``: (n, F) float32, for ``rows`` (n,) or for all.

    For probes that ask what else than the modality a model has learnt, such as the dataset.
    """
    _check_reader(model, reader)
    index = reader.index
    batch_size = batch_size or _images_at_once(model.device)
    rows = np.arange(len(reader)) if rows is None else rows
    head = [module for module in model.network.modules() if isinstance(module, nn.Linear)][-1]
    seen: list[Tensor] = [torch.empty(0, head.in_features)]
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].float().cpu()))
    try:
        with (
            torch.inference_mode(),
            freed_memory_kept(model.device),
            progress.task("Features", total=len(rows), unit="images") as task,
        ):
            for start in range(0, len(rows), batch_size):
                some = rows[start : start + batch_size]
                images = np.empty((len(some), *index.shape), np.float32)
                rescale_on_host(reader.gather(some), reader.affine[some], images, levels=index.levels, clip=index.clip)
                model.network(model.prepare(images))
                task.advance(len(some))
    finally:
        handle.remove()
    return torch.cat(seen).numpy()


def untrained(model: LoadedModel, *, seed: int = 0) -> LoadedModel:
    """Return ``model`` with the weights that a training starts from: the control of what training has added."""
    network = architectures.build(model.architecture, len(CLASSES), seed=seed)
    return replace(model, network=network.to(model.device).to(memory_format=torch.channels_last).eval())


def measure_latency(
    model: LoadedModel, *, batch_sizes: tuple[int, ...] = (1, 128), seconds: float = 1.0
) -> dict[str, float]:
    """Measure the network itself: warmed up, synchronised, on images that already are on the device.

    Returns for each batch size ``batch_<n>_ms_per_image`` (the median) and ``batch_<n>_images_per_second``.
    Each is measured for about ``seconds``, and at least three times.
    """
    shape = (model.contract.channels, model.contract.height, model.contract.width)
    figures: dict[str, float] = {}
    with torch.inference_mode(), freed_memory_kept(model.device):
        for size in batch_sizes:
            images = torch.rand(size, *shape, device=model.device)
            for _ in range(2):
                _timed(model, images)
            times: list[float] = []
            while len(times) < 3 or sum(times) < seconds:
                times.append(_timed(model, images))
            per_image = float(np.median(times)) / size
            figures[f"batch_{size}_ms_per_image"] = 1000 * per_image
            figures[f"batch_{size}_images_per_second"] = 1 / per_image
    return figures


def _images_at_once(device: torch.device) -> int:
    """More on the CPU saves no time: EfficientNet-Lite0 takes 1.2 GiB for 32 images of 64², 5.2 GiB for 256."""
    return 256 if device.type == "cuda" else 32


def _timed(model: LoadedModel, images: Tensor) -> float:
    started = time.perf_counter()
    model.network(images)
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter() - started


def _check_reader(model: LoadedModel, reader: ShardReader) -> None:
    check_classes(reader.index.classes, f"shards of {reader.index.split}")
    if reader.index.rescaling != model.contract.rescaling:
        raise ShardsDisagreeError(
            f"the model was trained on {model.contract.rescaling}, these shards are {reader.index.rescaling}"
        )
    _check_shape(tuple(reader.index.shape), model.contract, f"shards of {reader.index.split}")


def _check_shape(shape: tuple[int, ...], contract: InputContract, where: str) -> None:
    if shape != (contract.height, contract.width):
        raise ShardsDisagreeError(
            f"{where} are {shape[0]}×{shape[1]} pixels, the model was trained on {contract.height}×{contract.width}"
        )
