"""Training by torchrun from a process that is not one of the ranks, as an asset's body is not.

`train_on_ranks` starts the ranks of this machine. Where several machines train together it is the first of them,
and waits until the same has been started on each of the others, with the same folders in reach, by the command
that `torchrun_command` gives for it. What they share lies in the run folder's `CONFIG` and `MODEL`.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from modality_assets.learning.augmentation import Augmentation
from modality_assets.learning.errors import RanksFailedError
from modality_assets.learning.model_files import TrainingResult, read_model
from modality_assets.learning.recipes import Recipe
from modality_assets.learning.run import TrainingConfig
from modality_assets.manifest import write_json
from modality_assets.shards.reader import ShardReader

MODEL, CONFIG = "checkpoint/model", "checkpoint/training.json"
"""Beside the checkpoint, as nothing else in the folder belongs to a run that is not finished."""

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


def torchrun_command(
    train: Path, validate: Path, folder: Path, *, ranks: int, machine: int = 0, machines: int = 1, rendezvous: str = ""
) -> list[str]:
    """Return what starts the ranks of one machine; ``rendezvous`` is HOST:PORT of the first of several machines."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}"]
    if machines == 1:
        command.append("--standalone")
    else:
        host, port = rendezvous.rsplit(":", 1)
        command += [f"--nnodes={machines}", f"--node-rank={machine}", f"--master-addr={host}", f"--master-port={port}"]
    return [*command, "-m", "modality_assets.learning", *map(str, (train, validate, folder, folder / CONFIG))]


def train_on_ranks(
    train: ShardReader,
    validate: ShardReader,
    folder: Path,
    config: TrainingConfig,
    *,
    ranks: int,
    machines: int = 1,
    rendezvous: str = "",
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Train as `training.train` does, on ``ranks`` processes of each machine, one to a GPU where it has GPUs.

    Checkpoints lie in ``folder`` and are resumed from, also by another number of ranks. With several ``machines``,
    ``on_wait`` is told for each of the others the command that it waits for. Raises `RanksFailedError` with what
    the first rank that failed said.
    """
    (folder / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    write_config(config, folder / CONFIG)
    command = partial(torchrun_command, train.folder, validate.folder, folder, ranks=ranks, machines=machines)
    commands = [command(machine=machine, rendezvous=rendezvous) for machine in range(machines)]
    for other in commands[1:]:
        if on_wait is not None:
            on_wait(shlex.join(other))
    # torchrun sets this itself where it is not set, and warns; ranks would else fight over the cores
    threads = str(config.threads or max(1, (os.cpu_count() or 1) // ranks))
    environment = {"OMP_NUM_THREADS": threads} | dict(os.environ)
    said: list[str] = []
    with subprocess.Popen(
        commands[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
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
        raise RanksFailedError(
            f"training on {machines * ranks} ranks failed: {told[0] if told else 'nothing was said'}"
        )
    return read_model(folder / MODEL)
