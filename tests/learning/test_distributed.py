from dataclasses import replace

import pytest
import torch

from modality_assets.learning import architectures
from modality_assets.learning.distributed import Ranks
from modality_assets.learning.errors import RanksFailedError, UnevenRanksError
from modality_assets.learning.launch import read_config, train_on_ranks, write_config
from modality_assets.learning.recipes import recipe
from modality_assets.learning.training import TrainingConfig, train

# Sums over a batch are split differently among ranks, and the rounding of float32 grows from step to step:
# the weights may differ by this share of the way they went in training.
# Measured: 0.002; with each rank's own batch statistics it would be 0.1.
TOLERANCE = 0.01


def config() -> TrainingConfig:
    # Without dropout and pixel noise, whose numbers each rank draws for itself.
    chosen = replace(recipe("robust", optimiser="sgd"), epochs=2, batch_size=16, learning_rate=0.005, warmup_share=0.0)
    chosen = replace(chosen, augmentation=replace(chosen.augmentation, noise=0.0), averaging_decay=None)
    return TrainingConfig("resnet18", "image_range", chosen, seed=1, device="cpu", threads=1)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    squares = (one[name].double().sub(other[name].double()).square().sum() for name in one)
    return float(sum(squares)) ** 0.5


def test_a_configuration_survives_its_file(tmp_path):
    write_config(config(), tmp_path / "config.json")
    assert read_config(tmp_path / "config.json") == config()


@pytest.mark.slow
def test_two_ranks_train_to_the_same_weights_as_one(make_shards, tmp_path):
    train_shards, validate = make_shards("train", 40, size=64), make_shards("validate", 8, size=64)
    rows = []
    two = train_on_ranks(train_shards, validate, tmp_path / "two", config(), ranks=2, on_epoch=rows.append)
    one = train(train_shards, validate, tmp_path / "one", config())
    assert two.config["world_size"] == 2
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows == two.history
    for ours, theirs in zip(one.history, two.history, strict=True):
        assert ours["images"] == theirs["images"] == 40
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=TOLERANCE)
        assert ours["validate_loss"] == pytest.approx(theirs["validate_loss"], rel=TOLERANCE)
    start = architectures.build("resnet18", seed=1).state_dict()
    weights = [name for name in start if name.endswith(("weight", "bias", "running_mean", "running_var"))]
    start, ours, theirs = ({name: one[name] for name in weights} for one in (start, one.weights, two.weights))
    assert distance(ours, start) > 1
    assert distance(ours, theirs) < TOLERANCE * distance(ours, start)


def test_a_failure_of_the_ranks_is_told_in_the_words_of_the_first(make_shards, tmp_path):
    odd = replace(config(), recipe=replace(config().recipe, batch_size=15))
    with pytest.raises(RanksFailedError, match="15 images cannot be shared equally by 2 ranks"):
        train_on_ranks(make_shards(), make_shards("validate", 8), tmp_path / "odd", odd, ranks=2)


def test_a_batch_that_ranks_cannot_share_equally_is_refused():
    assert Ranks(1, 4).share_of(32) == 8
    with pytest.raises(UnevenRanksError, match="32 images cannot be shared equally by 3 ranks"):
        Ranks(0, 3).share_of(32)
