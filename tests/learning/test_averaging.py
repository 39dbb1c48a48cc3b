import torch
from torch import nn

from modality_assets.learning.averaging import AveragedNetwork


def test_the_average_follows_the_network_quickly_at_first_and_slowly_later():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = AveragedNetwork(network, decay=0.99)
    nn.init.ones_(network.weight)
    average.update(network)
    first = average.network.weight.item()
    assert first == torch.tensor(0.9)
    for _ in range(2000):
        average.update(network)
    nn.init.zeros_(network.weight)
    average.update(network)
    assert abs(average.network.weight.item() - 0.99) < 1e-3


def test_batch_norm_statistics_are_averaged_and_counters_copied():
    network = nn.BatchNorm2d(2)
    average = AveragedNetwork(network, decay=0.5)
    network(torch.full((4, 2, 3, 3), 10.0))
    average.update(network)
    assert 0 < average.network.running_mean[0].item() < 1.0
    assert average.network.num_batches_tracked.item() == 1


def test_the_average_is_never_in_train_mode_and_takes_no_gradients():
    average = AveragedNetwork(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), decay=0.9)
    assert not any(module.training for module in average.network.modules())
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
