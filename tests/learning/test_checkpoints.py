import json

import pytest
import torch
from safetensors.torch import save_file

from modality_assets.learning import architectures
from modality_assets.learning.checkpoints import (
    CHECKPOINT,
    optimiser_tensors,
    read_checkpoint,
    require_same,
    restore_optimiser,
    write_checkpoint,
)
from modality_assets.learning.errors import CheckpointMismatchError
from modality_assets.learning.optimisers import make_optimiser
from modality_assets.learning.recipes import recipe

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3)}


def test_what_is_written_is_read_back_bit_for_bit(tmp_path):
    state = {"epoch": 2, "totals": {"loss": 0.1 + 0.2}, "history": [{"lr": 1 / 3}]}
    write_checkpoint(tmp_path, TENSORS, state)
    tensors, read = read_checkpoint(tmp_path)
    assert torch.equal(tensors["weight"], TENSORS["weight"])
    assert state.items() <= read.items()


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert read_checkpoint(tmp_path) is None


def test_leftovers_of_a_killed_write_are_removed_and_never_read(tmp_path):
    left = tmp_path / CHECKPOINT
    left.parent.mkdir()
    (left.parent / ".state.safetensors.1-dead").write_bytes(b"half")
    assert read_checkpoint(tmp_path) is None
    write_checkpoint(tmp_path, TENSORS, {})
    assert [path.name for path in left.parent.iterdir()] == ["state.safetensors"]


def test_a_checkpoint_of_another_class_order_is_refused(tmp_path):
    header = {"state": json.dumps({"version": 1, "classes": ["MR", "PT", "CT", "XR"]})}
    (tmp_path / "checkpoint").mkdir()
    save_file(TENSORS, tmp_path / CHECKPOINT, header)
    with pytest.raises(CheckpointMismatchError, match=r"MR.*delete the file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04 a pickle", b"\x08" + bytes(7) + b"{}      "])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CheckpointMismatchError, match="delete the file"):
        read_checkpoint(tmp_path)


def test_a_difference_is_named_with_both_values(tmp_path):
    with pytest.raises(CheckpointMismatchError, match=r"image shape is \[1, 64, 64\], this run's is \[1, 32, 32\]"):
        require_same({"image shape": [1, 64, 64]}, {"image shape": [1, 32, 32]}, tmp_path)


@pytest.mark.parametrize("name", ["dissertation", "robust"])
def test_an_optimiser_continues_exactly_where_another_stopped(name):
    def take_step(network, optimiser):
        loss = network(torch.linspace(0, 1, 4 * 32 * 32).view(4, 1, 32, 32)).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def make():
        network = architectures.build("resnet18", seed=0).to(memory_format=torch.channels_last)
        return network, make_optimiser(network, recipe(name, learning_rate=1e-3))

    one, first = make()
    take_step(one, first)
    other, second = make()
    other.load_state_dict(one.state_dict())
    restore_optimiser(second, {key: tensor.contiguous() for key, tensor in optimiser_tensors(first).items()})
    take_step(one, first)
    take_step(other, second)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
