import pytest

from modality_assets.learning import architectures
from modality_assets.learning.optimisers import make_optimiser, set_rates
from modality_assets.learning.recipes import recipe


def test_the_published_l2_penalty_is_on_every_weight():
    optimiser = make_optimiser(architectures.build("resnet18", seed=0), recipe("dissertation", weight_decay=0.02))
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.02]


def test_decoupled_decay_spares_biases_and_normalisation():
    optimiser = make_optimiser(architectures.build("resnet18", seed=0), recipe("robust"))
    matrices, vectors = optimiser.param_groups
    assert matrices["weight_decay"] > 0
    assert vectors["weight_decay"] == 0
    assert all(parameter.ndim > 1 for parameter in matrices["params"])
    assert all(parameter.ndim == 1 for parameter in vectors["params"])


@pytest.mark.parametrize("name", ["dissertation", "quick", "robust"])
def test_every_group_gets_the_rate_of_the_schedule(name):
    optimiser = make_optimiser(architectures.build("resnet18", seed=0), recipe(name))
    set_rates(optimiser, 0.123, 0.8)
    assert {group["lr"] for group in optimiser.param_groups} == {0.123}
    assert {group.get("momentum", 0.8) for group in optimiser.param_groups} == {0.8}


@pytest.mark.parametrize("name", ["dissertation", "robust"])
def test_all_weights_of_a_step_are_updated_in_one_fused_operation(name):
    assert make_optimiser(architectures.build("resnet18", seed=0), recipe(name)).defaults["fused"]
