"""How good a network is on a split; always in eval mode, which the published validation was not."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modality_assets.learning.distributed import ALONE, Ranks
from modality_assets.learning.model_files import InputContract
from modality_assets.modality import CLASSES
from modality_assets.progress import SILENT, Progress
from modality_assets.shards.loader import Loader
from modality_assets.shards.reader import ShardReader


@dataclass(frozen=True)
class Score:
    """Cross-entropy in nats without label smoothing; accuracies in [0, 1]."""

    loss: float
    accuracy: float
    balanced_accuracy: float


def compute_logits(
    network: nn.Module,
    reader: ShardReader,
    contract: InputContract,
    *,
    batch_size: int,
    device: torch.device,
    dtype: torch.dtype | None = None,
    ranks: Ranks = ALONE,
    progress: Progress = SILENT,
) -> Tensor:
    """Return the logits of every image of ``reader``, in its order: (N, classes) float32 on the CPU.

    Several ``ranks`` share the images and all get all logits. The network is put into eval mode and given back as
    it was.
    """
    was_training = network.training
    network.eval()
    loader = Loader(reader, batch_size, shuffle=False, device=device, rank=ranks.rank, world_size=ranks.world_size)
    logits = torch.zeros((len(reader), len(CLASSES)), device=device)
    logits[torch.from_numpy(loader.rows.copy())] = torch.nan  # until they are computed; other ranks' rows are summed
    try:
        with torch.inference_mode(), progress.task("Predicting", total=len(loader.rows), unit="images") as task:
            for batch in loader:
                with torch.autocast(device.type, dtype, enabled=dtype is not None):
                    logits[batch.rows.to(device)] = network(contract.standardise(batch.images)).float()
                task.advance(len(batch.rows))
    finally:
        network.train(was_training)
    return ranks.total(logits).cpu()


def score(logits: Tensor, labels: np.ndarray) -> Score:
    """Return how well ``logits`` (N, classes) match ``labels`` (N,), indices into the classes."""
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    right = logits.argmax(dim=1) == truth
    recalls = [float(right[truth == c].double().mean()) for c in range(len(CLASSES)) if bool((truth == c).any())]
    return Score(float(F.cross_entropy(logits, truth)), float(right.double().mean()), sum(recalls) / len(recalls))
