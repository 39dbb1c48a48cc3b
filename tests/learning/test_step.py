import pytest
import torch
from torch import nn

from modality_assets.learning.errors import NotEnoughMemoryError
from modality_assets.learning.optimisers import make_optimiser
from modality_assets.learning.recipes import recipe
from modality_assets.learning.step import Stepper

IMAGES = torch.linspace(0, 1, 16 * 64).view(16, 1, 8, 8)
LABELS = torch.arange(16) % 4


class Crowded(nn.Module):
    """Runs out of memory for more than ``room`` images."""

    def __init__(self, room: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
        self.room, self.error = room, error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.room:
            raise self.error("not enough memory: you tried to allocate 7 bytes")
        return self.layers(images)


def stepper(network: nn.Module) -> Stepper:
    chosen = recipe("dissertation", learning_rate=0.1, clip_norm=1.0)
    return Stepper(network, make_optimiser(network, chosen), chosen, None)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_out_of_memory_halves_the_batch_until_it_fits_says_so_and_takes_the_same_step(caplog, error):
    roomy, crowded = Crowded(16), Crowded(5, error)
    easy, hard = stepper(roomy), stepper(crowded)
    expected, found = easy.step(IMAGES, LABELS), hard.step(IMAGES, LABELS)
    assert hard.parts == 4
    assert "batches of 16 are now computed in 4 parts" in caplog.text
    torch.testing.assert_close(found, expected)
    for one, other in zip(roomy.parameters(), crowded.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_when_not_even_one_image_fits_there_is_a_named_error():
    with pytest.raises(NotEnoughMemoryError, match="not even one image"):
        stepper(Crowded(0)).step(IMAGES, LABELS)


def test_other_errors_are_not_taken_for_lack_of_memory():
    class Broken(Crowded):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        stepper(Broken(1)).step(IMAGES, LABELS)


def test_the_summed_loss_and_the_number_right_are_those_of_the_batch():
    network = Crowded(16)
    with torch.no_grad():
        logits = network(IMAGES)
    loss, right = stepper(network).step(IMAGES, LABELS)
    assert float(loss) == pytest.approx(float(nn.functional.cross_entropy(logits, LABELS, reduction="sum")))
    assert int(right) == int((logits.argmax(dim=1) == LABELS).sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_steps_of_16_bits_are_steps_and_small_gradients_of_fp16_are_scaled(dtype):
    network = Crowded(16)
    chosen = recipe("dissertation", learning_rate=0.1)
    before = network.layers[1].weight.detach().clone()
    taken = Stepper(network, make_optimiser(network, chosen), chosen, dtype)
    loss, _ = taken.step(IMAGES, LABELS)
    assert torch.isfinite(loss)
    assert not torch.equal(network.layers[1].weight, before)
    assert taken.scaler.is_enabled() == (dtype == torch.float16)


def test_the_gradient_of_a_step_is_no_longer_than_the_recipe_allows():
    network = Crowded(16)
    before = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    chosen = recipe("dissertation", learning_rate=1.0, momentum=0.0, clip_norm=0.01)
    Stepper(network, make_optimiser(network, chosen), chosen, None).step(IMAGES, LABELS)
    after = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert float((after - before).norm()) == pytest.approx(0.01, rel=1e-3)
