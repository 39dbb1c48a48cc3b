"""Training on several GPUs and machines with PyTorch's own means: torchrun, one process group, DDP.

    torchrun --standalone --nproc-per-node=8 -m modality_assets.learning TRAIN VALIDATE MODEL ...

The batch of the recipe is the whole batch; each rank takes its share. Batch normalisation uses the
statistics of the whole batch, so that ranks change the speed of a run and not its result.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from modality_assets.learning.errors import UnevenRanksError


@dataclass(frozen=True)
class Ranks:
    """This process's place among all that train together."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of ``value`` over all ranks."""
        if self.world_size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return whether ``flag`` holds on any rank, so that all stop at the same step."""
        if self.world_size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=device)) > 0)

    def share_of(self, batch_size: int) -> int:
        """Return how many images of each batch are this rank's; raise `UnevenRanksError` for a fraction."""
        if batch_size % self.world_size:
            raise UnevenRanksError(
                f"a batch of {batch_size} images cannot be shared equally by {self.world_size} ranks; "
                "use a number of ranks that divides it, or change the recipe's batch_size"
            )
        return batch_size // self.world_size

    def wait(self) -> None:
        """Return when every rank has come here."""
        if self.world_size > 1:
            dist.barrier()


ALONE = Ranks()


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the process group that torchrun describes in the environment; alone where there is none.

    A group that the caller has made already is used and left standing.
    """
    if dist.is_available() and dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_torchelastic_launched():
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def over_ranks(network: nn.Module, device: torch.device, ranks: Ranks) -> nn.Module:
    """Return ``network`` so wrapped that gradients are averaged over ``ranks``; itself where there is one."""
    if ranks.world_size == 1:
        return network
    # Statistics are those of the whole batch on every rank: there is nothing to broadcast.
    return DistributedDataParallel(
        network, device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False
    )


def with_whole_batch_statistics(network: nn.Module, device: torch.device, ranks: Ranks) -> nn.Module:
    """Return ``network`` with batch normalisation over the batches of all ``ranks`` together."""
    if ranks.world_size == 1:
        return network
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            network.set_submodule(name, _WholeBatchNorm.like(module))
    return network


class _SumOverRanks(torch.autograd.Function):
    """The sum over ranks; so is its gradient."""

    @staticmethod
    def forward(_ctx: object, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class _WholeBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation with the statistics of all ranks, for CPUs, which PyTorch's own does not serve."""

    @classmethod
    def like(cls, other: nn.modules.batchnorm._BatchNorm) -> "_WholeBatchNorm":
        new = cls(other.num_features, other.eps, other.momentum, other.affine)
        new.load_state_dict(other.state_dict())
        return new

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C) or (N, C, H, W), channel by channel."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        others = [dimension for dimension in range(input.ndim) if dimension != 1]
        by_channel = [1, -1] + [1] * (input.ndim - 2)
        count = torch.tensor([float(input.numel() // input.shape[1])])
        both = _sum_over_ranks(torch.cat([input.sum(dim=others), count]))
        count = both[-1].detach()
        mean = (both[:-1] / count).view(by_channel)
        variance = (_sum_over_ranks((input - mean).square().sum(dim=others)) / count).view(by_channel)
        with torch.no_grad():
            self.num_batches_tracked += 1
            unbiased = variance.flatten() * count / (count - 1)
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        normal = (input - mean) * torch.rsqrt(variance + self.eps)
        return normal * self.weight.view(by_channel) + self.bias.view(by_channel) if self.affine else normal

    def _check_input_dim(self, input: Tensor) -> None:
        """Take whatever the layer takes that this one stands for."""


def _sum_over_ranks(value: Tensor) -> Tensor:
    return _SumOverRanks.apply(value)
