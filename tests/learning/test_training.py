import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from modality_assets.learning.checkpoints import CHECKPOINT, STOP, read_checkpoint, write_checkpoint
from modality_assets.learning.errors import (
    CheckpointMismatchError,
    NotFiniteLossError,
    ShardsDisagreeError,
    SplitWithoutClassError,
    TrainingInterruptedError,
)
from modality_assets.learning.recipes import recipe
from modality_assets.learning.step import Stepper
from modality_assets.learning.training import TIMED, TrainingConfig, batches_per_epoch, train

pytestmark = pytest.mark.usefixtures("tiny")


def config(recipe, **changes) -> TrainingConfig:
    return replace(TrainingConfig("tiny", "image_range", recipe, seed=1, device="cpu"), **changes)


def untimed(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in TIMED} for row in history]


def same_weights(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class InterruptError(Exception):
    """Stands for whatever ends a process."""


def test_a_network_learns_to_tell_easy_classes_apart(make_shards, tmp_path):
    chosen = recipe(
        "quick", epochs=8, batch_size=8, learning_rate=0.01, augmentation=recipe("dissertation").augmentation
    )
    result = train(make_shards("train", 80), make_shards("validate", 24), tmp_path, config(chosen))
    assert result.history[-1]["validate_accuracy"] == 1
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


def test_the_history_has_a_row_per_epoch_with_the_columns_of_the_contract(make_shards, tmp_path, brisk):
    rows = []
    result = train(make_shards(), make_shards("validate", 8), tmp_path, config(brisk, epochs=2), on_epoch=rows.append)
    assert rows == result.history
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"train_loss", "train_accuracy", "validate_loss", "validate_accuracy", "lr", *TIMED} <= rows[0].keys()
    assert rows[0]["images"] == 40
    assert 0 <= rows[0]["waiting_share"] <= 1
    json.dumps(rows)


def test_a_compiled_network_trains_to_the_weights_of_one_that_is_not(make_shards, tmp_path, brisk, monkeypatch):
    # the compiler's front alone: what it generates is its own affair, and takes a minute
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    shards = make_shards(), make_shards("validate", 8)
    plain = train(*shards, tmp_path / "plain", config(brisk, epochs=1))
    compiled = train(*shards, tmp_path / "compiled", config(brisk, epochs=1, compile=True))
    assert compiled.config["compile"]
    assert plain.weights.keys() == compiled.weights.keys()
    for name, tensor in plain.weights.items():
        torch.testing.assert_close(compiled.weights[name], tensor)


def test_weights_of_convolutions_lie_channels_last(make_shards, tmp_path, brisk, monkeypatch):
    seen = []
    step = Stepper.step

    def watch(self, images, labels, **options):
        seen.append([m.weight.is_contiguous(memory_format=torch.channels_last) for m in convolutions(self.network)])
        return step(self, images, labels, **options)

    def convolutions(network):
        return [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]

    monkeypatch.setattr(Stepper, "step", watch)
    train(make_shards(), make_shards("validate", 8), tmp_path, config(brisk, epochs=1))
    assert all(all(some) for some in seen)


@pytest.mark.parametrize(("images", "batches"), [(64, 4), (65, 4), (67, 4), (68, 5), (80, 5), (3, 1)])
def test_an_epoch_leaves_out_a_last_batch_of_less_than_a_quarter(images, batches):
    assert batches_per_epoch(images, 16) == batches


@pytest.mark.parametrize(("images", "batches"), [(42, 5), (44, 6), (47, 6)])
def test_an_epoch_leaves_out_a_last_batch_of_which_some_rank_would_have_nothing(images, batches):
    assert batches_per_epoch(images, 8, ranks=4) == batches


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)
    runs = [train(*shards, tmp_path / str(n), config(brisk, seed=seed, epochs=1)) for n, seed in enumerate((5, 5, 6))]
    assert same_weights(runs[0].weights, runs[1].weights)
    assert untimed(runs[0].history) == untimed(runs[1].history)
    assert not same_weights(runs[0].weights, runs[2].weights)


def test_a_run_leaves_pytorchs_global_state_as_it_was(make_shards, tmp_path, brisk):
    before = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    train(make_shards(), make_shards("validate", 8), tmp_path, config(brisk, epochs=1, threads=1))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()) == before[1:]


@pytest.mark.parametrize("architecture", ["tiny", "mnasnet1_0"])
def test_a_run_that_broke_off_after_an_epoch_ends_as_one_that_did_not(make_shards, tmp_path, brisk, architecture):
    shards = make_shards(), make_shards("validate", 8)
    chosen = config(brisk, architecture=architecture)

    def break_off(row):
        if row["epoch"] == 2:
            raise InterruptError

    whole = train(*shards, tmp_path / "whole", chosen)
    with pytest.raises(InterruptError):
        train(*shards, tmp_path / "broken", chosen, on_epoch=break_off)
    resumed = train(*shards, tmp_path / "broken", chosen)
    assert same_weights(whole.weights, resumed.weights)
    assert untimed(whole.history) == untimed(resumed.history)


def test_a_run_killed_minus_nine_and_resumed_ends_as_one_that_was_not(make_shards, tmp_path, brisk):
    shards, threads = (make_shards(), make_shards("validate", 8)), torch.get_num_threads()
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from modality_assets.learning import training
        from modality_assets.learning.augmentation import Augmentation
        from modality_assets.learning.recipes import Recipe
        from modality_assets.shards.reader import ShardReader

        values = {brisk.record()!r}
        recipe = Recipe(**values | {{"augmentation": Augmentation(**values["augmentation"])}})
        batches = 0
        step = training._train_batch

        def die_in_the_second_epoch(*arguments):
            global batches
            batches += 1
            if batches == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments)

        training._train_batch = die_in_the_second_epoch
        shards = [ShardReader(Path(folder)) for folder in {[str(reader.folder) for reader in shards]!r}]
        config = training.TrainingConfig("resnet18", "image_range", recipe, seed=1, threads={threads})
        training.train(*shards, Path({str(tmp_path / "killed")!r}), config)
        """)
    )
    killed = subprocess.run([sys.executable, script], cwd=Path.cwd(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert read_checkpoint(tmp_path / "killed")[1]["epoch"] == 1
    chosen = config(brisk, architecture="resnet18", threads=threads)
    resumed = train(*shards, tmp_path / "killed", chosen)
    whole = train(*shards, tmp_path / "whole", chosen)
    assert same_weights(whole.weights, resumed.weights)
    assert untimed(whole.history) == untimed(resumed.history)


def test_sigterm_writes_a_checkpoint_within_the_epoch_and_the_run_goes_on_from_there(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)
    whole = train(*shards, tmp_path / "whole", config(brisk))

    class Terminate:
        """A progress that sends the signal when the second batch of the second epoch is done."""

        def __init__(self):
            self.batches = 0

        def task(self, *_arguments, **_options):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_error):
            return None

        def advance(self, amount=1):
            self.batches += amount
            if self.batches == 5:
                os.kill(os.getpid(), signal.SIGTERM)

        def note(self, text):
            assert "loss" in text

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingInterruptedError, match=r"SIGTERM.*epoch 2 after batch 2.*run it again"):
        train(*shards, tmp_path / "stopped", config(brisk), progress=Terminate())
    assert signal.getsignal(signal.SIGTERM) is before
    state = read_checkpoint(tmp_path / "stopped")[1]
    assert (state["epoch"], state["batch"]) == (1, 2)
    resumed = train(*shards, tmp_path / "stopped", config(brisk))
    assert same_weights(whole.weights, resumed.weights)
    assert untimed(whole.history) == untimed(resumed.history)


def test_a_resumed_run_uses_as_many_threads_as_it_began_with(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)

    def break_off(_row):
        raise InterruptError

    with pytest.raises(InterruptError):
        train(*shards, tmp_path, config(brisk, threads=2), on_epoch=break_off)
    assert torch.get_num_threads() == 1
    assert train(*shards, tmp_path, config(brisk)).config["threads"] == 2
    assert torch.get_num_threads() == 1


def test_a_finished_run_is_not_trained_again(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)
    rows = []
    first = train(*shards, tmp_path, config(brisk, epochs=1), on_epoch=rows.append)
    again = train(*shards, tmp_path, config(brisk, epochs=1), on_epoch=rows.append)
    assert len(rows) == 1
    assert same_weights(first.weights, again.weights)
    assert again.history == first.history


def test_a_run_can_be_asked_to_stop_and_keeps_what_it_has(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)
    result = train(*shards, tmp_path, config(brisk), should_stop=lambda: True)
    assert result.stopped_early
    assert len(result.history) == 1
    again = train(*shards, tmp_path, config(brisk))
    assert again.stopped_early
    assert same_weights(result.weights, again.weights)


def test_a_file_beside_the_checkpoint_asks_a_run_to_stop_once(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)

    def ask(row):
        (tmp_path / STOP).touch()

    result = train(*shards, tmp_path, config(brisk), on_epoch=ask)
    assert result.stopped_early
    assert len(result.history) == 2
    assert not (tmp_path / STOP).exists()


def test_a_checkpoint_of_other_settings_is_not_continued(make_shards, tmp_path, brisk, caplog):
    shards = make_shards(), make_shards("validate", 8)
    train(*shards, tmp_path, config(brisk, epochs=1))
    other = train(*shards, tmp_path, config(brisk, epochs=1, seed=9))
    assert "starting afresh" in caplog.text
    assert same_weights(other.weights, train(*shards, tmp_path / "fresh", config(brisk, epochs=1, seed=9)).weights)


def test_a_checkpoint_of_another_image_shape_is_refused(make_shards, tmp_path, brisk):
    train(make_shards(), make_shards("validate", 8), tmp_path, config(brisk, epochs=1))
    with pytest.raises(CheckpointMismatchError, match=r"image shape.*32, 32.*48, 48.*delete"):
        train(make_shards(size=48), make_shards("validate", 8, size=48), tmp_path, config(brisk, epochs=1))


def test_a_checkpoint_of_another_class_order_is_refused(make_shards, tmp_path, brisk):
    shards = make_shards(), make_shards("validate", 8)
    train(*shards, tmp_path, config(brisk, epochs=1))
    tensors, state = read_checkpoint(tmp_path)
    write_checkpoint(tmp_path, tensors, state | {"classes": ["MR", "PT", "CT", "XR"]})
    with pytest.raises(CheckpointMismatchError, match=r"MR.*PT.*CT"):
        train(*shards, tmp_path, config(brisk, epochs=1))
    assert (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("split", ["train", "validate"])
def test_a_split_without_a_class_is_refused_by_name(make_shards, tmp_path, brisk, split):
    splits = {
        name: make_shards(name, labels=np.arange(12) % (3 if name == split else 4)) for name in ("train", "validate")
    }
    with pytest.raises(SplitWithoutClassError, match=rf"'{split}' has no image of XR"):
        train(splits["train"], splits["validate"], tmp_path, config(brisk))


def test_shards_of_another_rescaling_or_shape_are_refused(make_shards, tmp_path, brisk):
    with pytest.raises(ShardsDisagreeError, match="dtype_range"):
        train(make_shards(rescaling="dtype_range"), make_shards("validate", 8), tmp_path, config(brisk))
    with pytest.raises(ShardsDisagreeError, match=r"\(32, 32\).*\(48, 48\)"):
        train(make_shards(), make_shards("validate", 8, size=48), tmp_path, config(brisk))


def test_a_loss_that_is_not_finite_is_an_error_and_leaves_no_checkpoint(make_shards, tmp_path):
    wild = recipe("dissertation", learning_rate=1e30, batch_size=8)
    with pytest.raises(NotFiniteLossError, match=r"epoch 1.*learning rate"):
        train(make_shards(), make_shards("validate", 8), tmp_path, config(wild))
    assert read_checkpoint(tmp_path) is None
