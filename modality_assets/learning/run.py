"""The state of one training run: what it is made of, how it is saved, and how it is taken up again."""

import hashlib
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from modality_assets.learning import architectures
from modality_assets.learning.averaging import AveragedNetwork
from modality_assets.learning.checkpoints import (
    CHECKPOINT,
    IMAGE_SHAPE,
    network_tensors,
    optimiser_tensors,
    read_checkpoint,
    require_same,
    restore_network,
    restore_optimiser,
    write_checkpoint,
)
from modality_assets.learning.devices import Precision, autocast_dtype
from modality_assets.learning.distributed import Ranks, over_ranks, with_whole_batch_statistics
from modality_assets.learning.errors import CheckpointMismatchError
from modality_assets.learning.model_files import InputContract
from modality_assets.learning.optimisers import make_optimiser
from modality_assets.learning.pretrained import freeze_features, load_shipped
from modality_assets.learning.recipes import Recipe
from modality_assets.learning.step import Stepper
from modality_assets.manifest import digest, sha256_of
from modality_assets.modality import CLASSES

_LOG = logging.getLogger(__name__)

OF_EACH_RANK = ("loss", "right", "images")
"""The totals that each rank counts of its own images."""


@dataclass(frozen=True)
class TrainingConfig:
    """What is trained and how. ``plan`` and ``extra`` are only written down beside the weights.

    ``threads`` is the number of CPU threads, by default those in force; with another number the last
    bits of a CPU run differ. ``epochs`` overrides the recipe's. ``pretrained`` is a safetensors file.
    """

    architecture: str
    rescaling: str
    recipe: Recipe
    seed: int = 0
    epochs: int | None = None
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool = False
    threads: int | None = None
    pretrained: Path | None = None
    resident: bool | Literal["auto"] = "auto"
    plan: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def total_epochs(self) -> int:
        return self.epochs or self.recipe.epochs

    def record(self) -> dict[str, Any]:
        """Return what config.json says of the training, JSON-able."""
        return {
            "recipe": self.recipe.record(),
            "seed": self.seed,
            "epochs": self.total_epochs,
            "plan": self.plan,
            "precision": self.precision,
            "compile": self.compile,
            "pretrained": self.pretrained and self.pretrained.name,
            "pretrained_sha256": self.pretrained and sha256_of(self.pretrained),
            **self.extra,
        }


class Run:
    """Network, optimiser, average and position of one run."""

    def __init__(
        self, config: TrainingConfig, contract: InputContract, data: str, device: torch.device, ranks: Ranks
    ) -> None:
        self.config, self.contract, self.device, self.ranks = config, contract, device, ranks
        self.recipe = config.recipe
        self.dtype = autocast_dtype(config.precision, device)
        network = architectures.build(config.architecture, len(CLASSES), seed=config.seed, pretrained=config.pretrained)
        if self.recipe.pretrained and config.pretrained is None:
            load_shipped(network, config.architecture)
        network = with_whole_batch_statistics(network, device, ranks)
        if self.recipe.frozen:
            freeze_features(network)
        # Channels last is what convolutions want on GPUs with tensor cores and, measured, on CPUs.
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(self.network, self.recipe)
        decay = self.recipe.averaging_decay
        self.average = None if decay is None else AveragedNetwork(self.network, decay)
        trained = over_ranks(self.network, device, ranks)
        if config.compile:
            trained = torch.compile(trained)  # type: ignore[assignment]
        self.stepper = Stepper(trained, self.optimiser, self.recipe, self.dtype)
        self.threads = torch.get_num_threads()
        self.fingerprint = digest([config.architecture, config.record(), asdict(contract), data])
        self.epoch = 0
        self.batch = 0
        self.totals = {"loss": 0.0, "right": 0.0, "images": 0, "seconds": 0.0, "waiting_seconds": 0.0}
        self.history: list[dict[str, Any]] = []

    def train_mode(self) -> None:
        """Put the network into training mode, less what the recipe keeps as it is."""
        self.network.train()
        if self.recipe.frozen:
            freeze_features(self.network)

    @property
    def evaluated(self) -> torch.nn.Module:
        """The network whose weights are kept: the average where the recipe makes one."""
        return self.network if self.average is None else self.average.network

    def random_number(self, *what: object) -> int:
        """Return a seed that depends on the run's seed and ``what`` alone, in [0, 2^63)."""
        text = "/".join(map(str, (self.config.seed, *what)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

    def totals_of_all_ranks(self) -> dict[str, float]:
        """Return the totals with loss, right answers and images of all ranks together; all ranks must call this."""
        if self.ranks.world_size == 1:
            return self.totals
        sums = torch.tensor([self.totals[name] for name in OF_EACH_RANK], dtype=torch.float64, device=self.device)
        return self.totals | dict(zip(OF_EACH_RANK, self.ranks.total(sums).tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write the checkpoint into ``folder``; with several ranks, all of which must call this, the first one does."""
        totals = self.totals_of_all_ranks()
        if not self.ranks.is_first:
            return
        tensors: dict[str, Tensor] = network_tensors("network.", self.network) | optimiser_tensors(self.optimiser)
        if self.average is not None:
            tensors |= network_tensors("average.", self.average.network)
        state = {
            **self._identity(),
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "batch": self.batch,
            "totals": totals,
            "history": self.history,
            "parts": self.stepper.parts,
            "threads": self.threads,
            "scaler": self.stepper.scaler.state_dict(),
            "average_updates": 0 if self.average is None else self.average.updates,
        }
        write_checkpoint(folder, tensors, state)

    def resume(self, folder: Path) -> bool:
        """Go on from the checkpoint in ``folder``; False where there is none, or it is of other settings or data.

        Raises `CheckpointMismatchError` for one of another architecture, class order or image shape.
        """
        found = read_checkpoint(folder)
        if found is None:
            return False
        tensors, state = found
        require_same(state, self._identity(), folder)
        if state["fingerprint"] != self.fingerprint:
            _LOG.warning("the checkpoint in %s was made with other settings or images: starting afresh", folder)
            return False
        try:
            restore_network("network.", self.network, tensors)
            restore_optimiser(self.optimiser, tensors)
            if self.average is not None:
                restore_network("average.", self.average.network, tensors)
                self.average.updates = state["average_updates"]
        except (KeyError, IndexError, ValueError) as error:
            raise CheckpointMismatchError(
                f"checkpoint {folder / CHECKPOINT}: of a network of another structure ({error}); "
                "delete the file to start afresh"
            ) from None
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.totals, self.history = state["totals"], state["history"]
        if not self.ranks.is_first:  # they are of all ranks, and are summed over them again
            self.totals |= dict.fromkeys(OF_EACH_RANK, 0)
        self.stepper.parts = state["parts"]
        if state["scaler"]:
            self.stepper.scaler.load_state_dict(state["scaler"])
        if self.device.type == "cpu" and state["threads"] != self.threads:
            torch.set_num_threads(state["threads"])  # `repeatable` puts back what was in force
            self.threads = state["threads"]
        return True

    def _identity(self) -> dict[str, Any]:
        shape = [self.contract.channels, self.contract.height, self.contract.width]
        return {"architecture": self.config.architecture, "classes": list(CLASSES), IMAGE_SHAPE: shape}
