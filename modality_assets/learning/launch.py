"""Training by torchrun from a process that is not one of the ranks, as an asset's body is not.

One machine: `train_on_ranks`. Several: start on each machine, with the same folders in reach,

    torchrun --nnodes=2 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST:29400 \\
        -m modality_assets.learning TRAIN_SHARDS VALIDATE_SHARDS RUN_FOLDER CONFIG.json

where CONFIG.json is what `write_config` writes. The model lies in RUN_FOLDER/model afterwards.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from modality_assets.learning.augmentation import Augmentation
from modality_assets.learning.errors import RanksFailedError
from modality_assets.learning.model_files import TrainingResult, read_model
from modality_assets.learning.recipes import Recipe
from modality_assets.learning.run import TrainingConfig
from modality_assets.manifest import write_json
from modality_assets.shards.reader import ShardReader

MODEL = "model"
_EPOCH, _ERROR = "epoch ", "error "


def write_config(config: TrainingConfig, path: Path) -> None:
    """Write ``config`` as JSON for `read_config`."""
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    values |= {"recipe": config.recipe.record(), "pretrained": config.pretrained and str(config.pretrained)}
    write_json(path, values)


def read_config(path: Path) -> TrainingConfig:
    """Return what `write_config` wrote."""
    values: dict[str, Any] = json.loads(path.read_text())
    recipe = values["recipe"]
    augmentation = {**recipe["augmentation"], "zoom": tuple(recipe["augmentation"]["zoom"])}
    values["recipe"] = Recipe(**{**recipe, "augmentation": Augmentation(**augmentation)})
    values["pretrained"] = values["pretrained"] and Path(values["pretrained"])
    return TrainingConfig(**values)


def train_on_ranks(
    train: ShardReader,
    validate: ShardReader,
    folder: Path,
    config: TrainingConfig,
    *,
    ranks: int,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> TrainingResult:
    """Train as `training.train` does, on ``ranks`` processes of this machine, one to a GPU where it has GPUs.

    Checkpoints lie in ``folder`` and are resumed from, also by another number of ranks. Raises
    `RanksFailedError` with what the first rank that failed said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_config(config, folder / "config.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command += ["-m", "modality_assets.learning", str(train.folder), str(validate.folder), str(folder)]
    command.append(str(folder / "config.json"))
    # torchrun sets this itself where it is not set, and warns; ranks would else fight over the cores
    threads = str(config.threads or max(1, (os.cpu_count() or 1) // ranks))
    environment = {"OMP_NUM_THREADS": threads} | dict(os.environ)
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(_EPOCH) and on_epoch is not None:
                    on_epoch(json.loads(line.removeprefix(_EPOCH)))
                elif not line.startswith(_EPOCH):
                    said.append(line.rstrip())
        except BaseException:
            process.terminate()  # torchrun passes it on, and the ranks write their checkpoint
            raise
    if process.returncode != 0:
        told = [line.removeprefix(_ERROR) for line in said if line.startswith(_ERROR)] or said[-5:]
        raise RanksFailedError(f"training on {ranks} ranks failed: {told[0] if told else 'nothing was said'}")
    return read_model(folder / MODEL)
