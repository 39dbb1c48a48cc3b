import shlex
import socket
import subprocess
from dataclasses import dataclass, replace

import pytest
import torch

from modality_assets.learning import architectures, distributed, run
from modality_assets.learning.distributed import Ranks, with_whole_batch_statistics
from modality_assets.learning.errors import RanksFailedError, UnevenRanksError
from modality_assets.learning.launch import read_config, train_on_ranks, write_config
from modality_assets.learning.model_files import InputContract
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
    return TrainingConfig("resnet18", "image_range", chosen, seed=1, device="cpu", precision="fp32", threads=1)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    squares = (one[name].double().sub(other[name].double()).square().sum() for name in one)
    return float(sum(squares)) ** 0.5


def test_a_configuration_survives_its_file(tmp_path):
    write_config(config(), tmp_path / "config.json")
    assert read_config(tmp_path / "config.json") == config()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def other_machines():
    """A function that starts what another machine is asked to start; all have ended when the test has."""
    started = []

    def start(command: str) -> None:
        started.append(subprocess.Popen(shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    yield start
    assert [process.wait(60) for process in started] == [0] * len(started)


@pytest.mark.slow
def test_two_ranks_of_one_or_of_two_machines_train_to_the_same_weights_as_one(make_shards, tmp_path, other_machines):
    train_shards, validate = make_shards("train", 40, size=64), make_shards("validate", 8, size=64)
    one = train(train_shards, validate, tmp_path / "one", config())
    start = architectures.build("resnet18", seed=1).state_dict()
    weights = [name for name in start if name.endswith(("weight", "bias", "running_mean", "running_var"))]
    start, ours = ({name: found[name] for name in weights} for found in (start, one.weights))
    assert distance(ours, start) > 1
    places = {
        "ranks": {"ranks": 2},
        "machines": {"ranks": 1, "machines": 2, "rendezvous": f"127.0.0.1:{free_port()}", "on_wait": other_machines},
    }
    for name, place in places.items():
        rows = []
        two = train_on_ranks(train_shards, validate, tmp_path / name, config(), on_epoch=rows.append, **place)
        assert two.config["world_size"] == 2
        assert [row["epoch"] for row in rows] == [1, 2]
        assert rows == two.history
        for alone, together in zip(one.history, two.history, strict=True):
            assert alone["images"] == together["images"] == 40
            assert alone["train_loss"] == pytest.approx(together["train_loss"], rel=TOLERANCE)
            assert alone["validate_loss"] == pytest.approx(together["validate_loss"], rel=TOLERANCE)
        theirs = {weight: two.weights[weight] for weight in weights}
        assert distance(ours, theirs) < TOLERANCE * distance(ours, start)


def test_every_batch_normalisation_is_over_all_ranks(monkeypatch):
    """With one rank's sums as those of all, it gives what PyTorch's own gives, also for vectors and without slopes."""
    monkeypatch.setattr(distributed, "_sum_over_ranks", lambda value: value)
    network = with_whole_batch_statistics(architectures.build("efficientnet_lite0"), torch.device("cpu"), Ranks(0, 2))
    normalisations = [one for one in network.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    assert {type(one).__name__ for one in normalisations} == {"_WholeBatchNorm"}
    for own, shape in ((torch.nn.BatchNorm1d(5, affine=False), (8, 5)), (torch.nn.BatchNorm2d(5), (8, 5, 3, 3))):
        ours, images = distributed._WholeBatchNorm.like(own), torch.randn(shape)
        assert torch.allclose(ours(images), own(images), atol=1e-5)
        for name, expected in own.state_dict().items():
            assert torch.allclose(ours.state_dict()[name], expected, atol=1e-5)
        assert torch.allclose(ours.eval()(images), own.eval()(images), atol=1e-5)


@dataclass(frozen=True)
class Twins(Ranks):
    """Two ranks of which each counts the same."""

    def total(self, value: torch.Tensor) -> torch.Tensor:
        return 2 * value


def test_a_checkpoint_holds_the_totals_of_all_ranks_and_one_of_them_goes_on_with_them(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "over_ranks", lambda network, *_: network)
    counted = {"loss": 1.5, "right": 3.0, "images": 8, "seconds": 2.0, "waiting_seconds": 0.5}
    contract = InputContract(32, 32, "image_range", 0.0, 1.0)

    def of_rank(number: int) -> run.Run:
        return run.Run(config(), contract, "data", torch.device("cpu"), Twins(number, 2))

    stopped = of_rank(0)
    stopped.totals = dict(counted)
    stopped.save(tmp_path)
    first, second = of_rank(0), of_rank(1)
    assert first.resume(tmp_path)
    assert second.resume(tmp_path)
    assert first.totals == counted | {"loss": 3.0, "right": 6.0, "images": 16}
    assert second.totals == counted | {"loss": 0, "right": 0, "images": 0}


def test_a_checkpoint_that_began_with_other_weights_of_the_same_name_is_another(tmp_path):
    files = [tmp_path / folder / "w.safetensors" for folder in ("a", "b")]
    for number, file in enumerate(files):
        file.parent.mkdir()
        file.write_bytes(bytes([number]))
    one, other = (replace(config(), pretrained=file).record() for file in files)
    assert one["pretrained"] == other["pretrained"]
    assert one != other


def test_a_failure_of_the_ranks_is_told_in_the_words_of_the_first(make_shards, tmp_path):
    odd = replace(config(), recipe=replace(config().recipe, batch_size=15))
    with pytest.raises(RanksFailedError, match="15 images cannot be shared equally by 2 ranks"):
        train_on_ranks(make_shards(), make_shards("validate", 8), tmp_path / "odd", odd, ranks=2)


def test_a_batch_that_ranks_cannot_share_equally_is_refused():
    assert Ranks(1, 4).share_of(32) == 8
    with pytest.raises(UnevenRanksError, match="32 images cannot be shared equally by 3 ranks"):
        Ranks(0, 3).share_of(32)
