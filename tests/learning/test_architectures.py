import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from modality_assets.learning import architectures
from modality_assets.learning.efficientnet_lite import EfficientNetLite0, photograph_weights
from modality_assets.learning.errors import DamagedModelError, UnknownArchitectureError
from modality_assets.learning.pretrained import freeze_features, load_shipped
from modality_assets.learning.stems import stem_name

PUBLISHED = {"resnet18", "resnet34", "resnet50", "vgg16", "vgg16_dropout", "densenet121", "mnasnet1_0"}


def test_the_published_architectures_and_a_modern_one_are_there():
    assert set(architectures.names()) > PUBLISHED
    assert {"convnext_tiny", "efficientnet_v2_s"} & set(architectures.names())


@pytest.mark.parametrize("name", architectures.names())
def test_every_architecture_reads_one_channel_of_64_pixels_and_gives_one_output_per_class(name):
    network = architectures.build(name, 4, seed=0).eval()
    assert network.get_submodule(stem_name(network)).in_channels == 1
    with torch.inference_mode():
        logits = network(torch.rand(2, 1, 64, 64))
    assert logits.shape == (2, 4)
    assert torch.isfinite(logits).all()


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    one, two, other = (architectures.build("resnet18", seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


def test_an_unknown_architecture_is_refused_with_the_known_ones_listed():
    with pytest.raises(UnknownArchitectureError, match=r"resnet19.*resnet18.*mnasnet1_0"):
        architectures.build("resnet19")


def test_mnasnet_adapts_its_batch_norm_statistics_within_a_short_training():
    network = architectures.build("mnasnet1_0", seed=0)
    momenta = {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
    assert momenta == {0.1}


def test_mnasnet_starts_near_chance_and_not_with_enormous_logits():
    network = architectures.build("mnasnet1_0", seed=0)
    loss = nn.functional.cross_entropy(network(torch.rand(16, 1, 64, 64)), torch.arange(16) % 4)
    assert loss.item() == pytest.approx(math.log(4), abs=0.5)


def test_vgg16_with_dropout_has_five_dropout_layers_of_a_half():
    with torch.device("meta"):
        network = architectures.build("vgg16_dropout")
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.5] * 5


def test_pretrained_weights_answer_to_a_grey_image_as_they_did_to_three_equal_channels(tmp_path):
    torch.manual_seed(0)
    three = models.resnet18(num_classes=4).eval()
    save_file(three.state_dict(), tmp_path / "weights.safetensors")
    one = architectures.build("resnet18", 4, seed=1, pretrained=tmp_path / "weights.safetensors").eval()
    grey = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(one(grey), three(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_pretrained_weights_for_a_thousand_classes_keep_a_fresh_classifier(tmp_path):
    torch.manual_seed(0)
    three = models.mnasnet1_0()
    save_file(three.state_dict(), tmp_path / "weights.safetensors")
    one = architectures.build("mnasnet1_0", 4, seed=1, pretrained=tmp_path / "weights.safetensors")
    fresh = architectures.build("mnasnet1_0", 4, seed=1)
    assert torch.equal(one.classifier[1].weight, fresh.classifier[1].weight)
    assert torch.equal(one.layers[3].weight, three.layers[3].weight)


def test_pretrained_weights_of_another_architecture_are_refused(tmp_path):
    save_file(architectures.build("resnet18", seed=0).state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(DamagedModelError, match="another architecture"):
        architectures.build("resnet34", pretrained=tmp_path / "weights.safetensors")


def test_a_pretrained_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(DamagedModelError, match="safetensors"):
        architectures.build("resnet18", pretrained=tmp_path / "weights.pth")


def test_the_light_efficientnet_gives_the_features_of_its_published_weights_for_one_channel():
    network = architectures.build("efficientnet_lite0", 4, seed=0)
    load_shipped(network, "efficientnet_lite0")
    three = EfficientNetLite0(4)
    three.load_state_dict(photograph_weights(), strict=False)
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        one_channel = network.eval().features(grey)
        torch.testing.assert_close(one_channel, three.eval().features(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)
    assert one_channel.std() > 0.1  # of weights that mean something: with random ones it is a tenth of that


def test_the_light_efficientnet_reads_mean_and_deviation_of_its_last_three_stages():
    network = architectures.build("efficientnet_lite0", 4, seed=0).eval()
    maps, read = {}, []
    for number in (5, 6, 7):
        network.features[number].register_forward_hook(
            lambda _module, _inputs, out, number=number: maps.update({number: out})
        )
    network.classifier.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0]))
    with torch.inference_mode():
        network(torch.rand(2, 1, 64, 64))
    wanted = [
        part for number in (5, 6, 7) for part in (maps[number].mean((2, 3)), maps[number].std((2, 3), correction=0))
    ]
    torch.testing.assert_close(read[0], torch.cat(wanted, dim=1), rtol=1e-2, atol=4e-3)
    assert read[0].shape == (2, 2 * (112 + 192 + 320))


def test_a_black_image_does_not_give_the_light_efficientnet_gradients_that_are_no_numbers():
    network = architectures.build("efficientnet_lite0", 4, seed=0).train()
    nn.init.normal_(network.classifier[-1].weight)
    loss = nn.functional.cross_entropy(network(torch.zeros(2, 1, 64, 64)), torch.arange(2))
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_small_images_are_enlarged_to_what_the_light_efficientnet_knows():
    network = architectures.build("efficientnet_lite0", 4, seed=0).eval()
    seen = []
    network.features[0].register_forward_pre_hook(lambda _module, inputs: seen.append(tuple(inputs[0].shape)))
    with torch.inference_mode():
        network(torch.rand(1, 1, 64, 64))
        network(torch.rand(1, 1, 224, 224))
    assert seen == [(1, 1, 192, 192), (1, 1, 224, 224)]


def test_an_architecture_without_weights_in_the_installation_says_where_to_name_a_file():
    with pytest.raises(DamagedModelError, match=r"resnet18.*setting `pretrained`"):
        load_shipped(architectures.build("resnet18", seed=0), "resnet18")


def test_frozen_features_neither_learn_nor_change_their_statistics():
    network = architectures.build("resnet18", 4, seed=0).train()
    freeze_features(network)
    before = network.bn1.running_mean.clone()
    network(torch.rand(4, 1, 32, 32))
    assert torch.equal(network.bn1.running_mean, before)
    assert {name for name, one in network.named_parameters() if one.requires_grad} == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_v2_s"])
def test_efficientnets_start_near_chance_and_not_with_enormous_logits(name):
    network = architectures.build(name, seed=0).eval()
    with torch.inference_mode():
        loss = nn.functional.cross_entropy(network(torch.rand(4, 1, 64, 64)), torch.arange(4))
    assert loss.item() == pytest.approx(math.log(4), abs=0.5)
