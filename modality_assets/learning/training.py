"""The training loop: plain PyTorch, seeded by argument, resumed exactly.

Every random number of a step is made from (seed, epoch, batch), never carried from step to step. So a
checkpoint needs no generator's state, and a run that was killed and resumed ends with the history and,
on the CPU with the same number of threads, the very weights of one that was not.
"""

import logging
import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modality_assets.learning import schedules
from modality_assets.learning.augmentation import augment, draw
from modality_assets.learning.checkpoints import STOP
from modality_assets.learning.devices import choose_device, freed_memory_kept, repeatable
from modality_assets.learning.distributed import joined
from modality_assets.learning.errors import (
    NotFiniteLossError,
    ShardsDisagreeError,
    SplitWithoutClassError,
    TrainingInterruptedError,
)
from modality_assets.learning.model_files import InputContract, TrainingResult, write_model
from modality_assets.learning.optimisers import set_rates
from modality_assets.learning.run import OF_EACH_RANK, Run, TrainingConfig
from modality_assets.learning.scoring import compute_logits, score
from modality_assets.learning.signals import StopRequest, stop_requests
from modality_assets.manifest import digest
from modality_assets.modality import CLASSES, check_classes
from modality_assets.progress import SILENT, Progress, Task
from modality_assets.shards.loader import Batch, Loader
from modality_assets.shards.reader import ShardReader

__all__ = ["TIMED", "TrainingConfig", "TrainingResult", "train", "write_model"]

_LOG = logging.getLogger(__name__)

TIMED = ("images_per_second", "waiting_share", "gpu_memory_bytes", "seconds")
"""The columns of the history that differ between two runs of the same training."""

_CHECK_EVERY = 50
"""Batches between looks at the loss on a GPU, where each look waits for it."""

_ASK_EVERY = 10
"""Batches after which several ranks ask each other whether one was told to stop."""


def train(
    train: ShardReader,
    validate: ShardReader,
    folder: Path,
    config: TrainingConfig,
    *,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: Progress = SILENT,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Train ``config.architecture`` on the images of ``train``, scored after each epoch on ``validate``.

    Writes ``folder``/checkpoint after each epoch and when a signal asks the run to stop, and goes on
    from it when called again with the same settings and images; a finished run returns at once.
    ``on_epoch`` gets each new row of the history. After each epoch ``should_stop`` is asked, and whether there is
    a file ``folder``/checkpoint/stop; a run that either stops is a result like any other.

    Raises `SplitWithoutClassError`, `ShardsDisagreeError`, `NotFiniteLossError`, `NotEnoughMemoryError`,
    `CheckpointMismatchError` and, after SIGTERM or SIGINT, `TrainingInterruptedError`.
    """
    contract = _check_shards(train, validate, config)
    device = choose_device(config.device)
    with (
        joined(device) as ranks,
        repeatable(device, config.threads),
        freed_memory_kept(device),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        stop_requests() as request,
    ):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        run = Run(config, contract, _data_digest(train, validate), device, ranks)
        if run.resume(folder):
            _LOG.info("going on from epoch %d, batch %d", run.epoch + 1, run.batch + 1)
        stopped = bool(run.history) and bool(run.history[-1]["stopped"])
        batches = batches_per_epoch(len(train), config.recipe.batch_size, ranks.world_size)
        with progress.task(
            f"Training {config.architecture}", total=config.total_epochs * batches, unit="batches"
        ) as task:
            task.advance(run.epoch * batches + run.batch)
            while run.epoch < config.total_epochs and not stopped:
                _train_epoch(run, train, request, folder, task)
                row = _finish_epoch(run, validate, batches)
                asked = (folder / STOP).exists() or bool(should_stop and should_stop())
                stopped = ranks.any(asked, device)
                row["stopped"] = stopped
                run.history.append(row)
                run.epoch, run.batch, run.totals = run.epoch + 1, 0, dict.fromkeys(run.totals, 0.0)
                run.save(folder)
                if on_epoch is not None and ranks.is_first:
                    on_epoch(row)
                if run.epoch < config.total_epochs and not stopped:
                    _end_if_asked(run, request, folder)  # an epoch may be shorter than what several ranks go unasked
        ranks.wait()
        (folder / STOP).unlink(missing_ok=True)
        weights = {name: tensor.detach().cpu().clone() for name, tensor in run.evaluated.state_dict().items()}
        record = {
            **config.record(),
            "epochs_trained": run.epoch,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": run.threads,
            "world_size": ranks.world_size,
            "torch": torch.__version__,
        }
    seconds = sum(row["seconds"] for row in run.history)
    return TrainingResult(config.architecture, contract, weights, record, run.history, seconds, stopped)


def _check_shards(train: ShardReader, validate: ShardReader, config: TrainingConfig) -> InputContract:
    for reader, split in ((train, "train"), (validate, "validate")):
        check_classes(reader.index.classes, f"shards of {split}")
        if reader.index.rescaling != config.rescaling:
            raise ShardsDisagreeError(
                f"the shards of {split} were rescaled by {reader.index.rescaling}, the model is to be of "
                f"{config.rescaling}; give it the shards of that rescaling"
            )
        counts = np.bincount(reader.labels, minlength=len(CLASSES))
        if absent := [name for name, count in zip(CLASSES, counts, strict=True) if count == 0]:
            raise SplitWithoutClassError(
                f"split {split!r} has no image of {', '.join(absent)}; add a dataset of it, or plan another split"
            )
    shapes = tuple(train.index.shape), tuple(validate.index.shape)
    if shapes[0] != shapes[1]:
        raise ShardsDisagreeError(
            f"images of train are {shapes[0]}, of validate {shapes[1]}; materialise both again with one image_size"
        )
    height, width = shapes[0]
    mean, std = (float(train.index.mean), float(train.index.std)) if config.recipe.standardise else (0.0, 1.0)
    return InputContract(height, width, config.rescaling, mean, std)


def _data_digest(train: ShardReader, validate: ShardReader) -> str:
    indices = (train.index, validate.index)
    return digest([[(file.name, file.sha256) for file in (*index.files, *index.arrays)] for index in indices])


def _load(run: Run, reader: ShardReader) -> Loader:
    """Return this rank's batches of the epoch, from the run's position on."""
    return Loader(
        reader,
        run.ranks.share_of(run.recipe.batch_size),
        seed=run.config.seed,
        epoch=run.epoch,
        shuffle=True,
        balance=run.recipe.balance,
        device=run.device,
        rank=run.ranks.rank,
        world_size=run.ranks.world_size,
        start_batch=run.batch,
        resident=run.config.resident,
    )


def batches_per_epoch(images: int, batch_size: int, ranks: int = 1) -> int:
    """Return how many batches of ``images`` an epoch trains on.

    A last batch of less than a quarter is left out: batch normalisation would end the epoch on the
    statistics of a few images. (Each epoch is in another order, so no image is left out for good.)
    So is one of fewer images than ``ranks``, of which some would have nothing to do while the others wait.
    """
    whole, rest = divmod(images, batch_size)
    return max(1, whole + (4 * rest >= batch_size and rest >= ranks))


def _train_epoch(run: Run, reader: ShardReader, request: StopRequest, folder: Path, task: Task) -> None:
    """Train from the run's position to the end of its epoch, adding to ``run.totals``."""
    run.train_mode()
    loader = _load(run, reader)
    batches = batches_per_epoch(len(reader), run.recipe.batch_size, run.ranks.world_size)
    loss_sum = torch.tensor(run.totals["loss"], dtype=torch.float64, device=run.device)
    right_sum = torch.tensor(run.totals["right"], dtype=torch.float64, device=run.device)
    before, started = dict(run.totals), time.perf_counter()

    def settle() -> None:
        """Bring the totals up to this batch; waits for the device."""
        run.totals |= {
            "loss": float(loss_sum),
            "right": float(right_sum),
            "seconds": before["seconds"] + time.perf_counter() - started,
            "waiting_seconds": before["waiting_seconds"] + loader.waiting_seconds,
        }
        if not math.isfinite(run.totals["loss"]):
            raise NotFiniteLossError(
                f"{run.config.architecture}: the loss is not finite in epoch {run.epoch + 1} by batch {run.batch}; "
                f"lower the recipe's learning rate ({run.recipe.learning_rate}) or give it clip_norm"
            )

    for batch in islice(loader, batches - run.batch):
        position = (run.epoch + run.batch / batches) / run.config.total_epochs
        everywhere = min(run.recipe.batch_size, len(reader) - run.batch * run.recipe.batch_size)
        loss, right = _train_batch(run, batch, position, everywhere)
        loss_sum += loss
        right_sum += right
        run.totals["images"] += len(batch.labels)
        run.batch += 1
        task.advance(1)
        if run.device.type == "cpu" or run.batch % _CHECK_EVERY == 0:
            settle()
            task.note(
                f"epoch {run.epoch + 1}/{run.config.total_epochs}, loss {run.totals['loss'] / run.totals['images']:.3f}"
            )
        # Ranks must stop at the same batch, and to ask the others waits for them: not after every batch.
        asks = run.ranks.world_size == 1 or run.batch % _ASK_EVERY == 0
        if asks:
            _end_if_asked(run, request, folder, settle)
    settle()


def _end_if_asked(run: Run, request: StopRequest, folder: Path, settle: Callable[[], None] = lambda: None) -> None:
    """Write the checkpoint and raise `TrainingInterruptedError` where this or another rank was asked to stop."""
    if not run.ranks.any(request.name is not None, run.device):
        return
    settle()
    run.save(folder)
    raise TrainingInterruptedError(
        f"{run.config.architecture}: stopped by {request.name or 'a signal to another rank'} in epoch "
        f"{run.epoch + 1} after batch {run.batch}; the checkpoint is written, run it again to go on from there"
    )


def _train_batch(run: Run, batch: Batch, position: float, everywhere: int) -> tuple[Tensor, Tensor]:
    """Take one step; the batches of all ranks at this step have ``everywhere`` images."""
    recipe, ranks = run.recipe, run.ranks
    losses = [row["train_loss"] for row in run.history]
    rate = schedules.learning_rate(recipe, position, losses)
    set_rates(run.optimiser, rate, schedules.momentum(recipe, position))
    here = len(batch.labels)
    seed = run.random_number("batch", run.epoch, run.batch)
    torch.manual_seed(seed + ranks.rank)  # for dropout
    numbers = draw(everywhere, torch.Generator().manual_seed(seed))[ranks.rank :: ranks.world_size]
    noise = torch.Generator(run.device).manual_seed(seed + ranks.rank) if recipe.augmentation.noise else None
    images = augment(batch.images, recipe.augmentation, numbers, noise)
    images = run.contract.standardise(images)
    loss, right = run.stepper.step(images, batch.labels, share=here * ranks.world_size / everywhere)
    if run.average is not None:
        run.average.update(run.network)
    return loss, right


def _finish_epoch(run: Run, validate: ShardReader, batches: int) -> dict[str, Any]:
    """Return the history's row for the epoch that was just trained."""
    started = time.perf_counter()
    logits = compute_logits(
        run.evaluated,
        validate,
        run.contract,
        batch_size=4 * run.recipe.batch_size,
        device=run.device,
        dtype=run.dtype,
        ranks=run.ranks,
    )
    result = score(logits, validate.labels)
    totals = run.totals_of_all_ranks()
    loss, right, images = (totals[name] for name in OF_EACH_RANK)
    if not math.isfinite(loss):
        raise NotFiniteLossError(
            f"{run.config.architecture}: the loss of epoch {run.epoch + 1} is not finite on another rank"
        )
    seconds = run.totals["seconds"]
    position = (run.epoch + (batches - 1) / batches) / run.config.total_epochs
    return {
        "epoch": run.epoch + 1,
        "train_loss": loss / images,
        "train_accuracy": right / images,
        "validate_loss": result.loss,
        "validate_accuracy": result.accuracy,
        "validate_balanced_accuracy": result.balanced_accuracy,
        "lr": schedules.learning_rate(run.recipe, position, [row["train_loss"] for row in run.history]),
        "images": int(images),
        "parts": run.stepper.parts,
        "images_per_second": images / seconds,
        "waiting_share": run.totals["waiting_seconds"] / seconds,
        "gpu_memory_bytes": torch.cuda.max_memory_allocated(run.device) if run.device.type == "cuda" else None,
        "seconds": seconds + time.perf_counter() - started,
    }
