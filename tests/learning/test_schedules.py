import pytest

from modality_assets.learning import schedules
from modality_assets.learning.recipes import recipe


def test_a_plateau_of_the_training_loss_divides_the_rate_by_ten():
    published = recipe("dissertation")
    assert schedules.learning_rate(published, 0.5, [1.0, 0.8, 0.7]) == pytest.approx(0.1)
    assert schedules.learning_rate(published, 0.5, [1.0, 0.8, 0.8]) == pytest.approx(0.01)
    assert schedules.learning_rate(published, 0.5, [1.0, 0.8, 0.9, 0.85]) == pytest.approx(0.001)


@pytest.mark.parametrize("name", ["quick", "robust"])
def test_the_rate_rises_to_its_peak_and_falls_to_almost_nothing(name):
    chosen = recipe(name)
    rates = [schedules.learning_rate(chosen, step / 1000) for step in range(1000)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(chosen.learning_rate)
    assert peak / 1000 == pytest.approx(chosen.warmup_share, abs=0.002)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < chosen.learning_rate / 100


def test_one_cycle_lowers_momentum_while_the_rate_is_high():
    one_cycle = recipe("quick", schedule="one_cycle", warmup_share=0.25)
    momenta = [schedules.momentum(one_cycle, position) for position in (0.0, 0.25, 0.999)]
    assert momenta[1] < momenta[0]
    assert momenta[1] < momenta[2]
    assert schedules.momentum(recipe("dissertation"), 0.3) == 0.9
