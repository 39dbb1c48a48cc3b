"""A model as one ONNX file that runs without PyTorch and says what it expects and what it was trained on.

Inside, as metadata: the classes in their order, the input contract, and whatever the caller adds
(calibration, licences of the training data). Standardisation is part of the graph, so the input is the
rescaled image in [0, 1]: ``images`` (N, 1, H, W) float32 in, ``logits`` (N, classes) float32 out.
Needs onnx and onnxscript, which are imported only here.
"""

import json
import logging
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modality_assets.learning.inference import LoadedModel
from modality_assets.learning.model_files import InputContract
from modality_assets.modality import CLASSES

METADATA_KEY = "modality_assets"
"""The key of the ONNX model's metadata that holds, as JSON, architecture, classes, input contract and additions."""


class _Standardised(nn.Module):
    """A network with the standardisation of its input in front."""

    def __init__(self, network: nn.Module, contract: InputContract) -> None:
        super().__init__()
        self.network, self.contract = network, contract

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self.contract.standardise(images))
        return logits


def export_onnx(model: LoadedModel, file: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write ``model`` into ``file``, whole or not at all; ``extra``, JSON-able, joins the metadata."""
    shape = (model.contract.channels, model.contract.height, model.contract.width)
    # Two images: a batch of one would be compiled as a constant.
    example = torch.rand(2, *shape)
    network = _Standardised(model.network, model.contract).cpu().to(memory_format=torch.contiguous_format).eval()
    with _quietly():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )
    model.network.to(model.device).to(memory_format=torch.channels_last)
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    described = {
        "architecture": model.architecture,
        "classes": list(CLASSES),
        "input": asdict(model.contract),
        "training": model.config,
        **(extra or {}),
    }
    program.model.metadata_props[METADATA_KEY] = json.dumps(described, default=str)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        program.save(temporary, external_data=False)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's own deprecation warnings and log lines from users, who can do nothing about them."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
