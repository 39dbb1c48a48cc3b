import pytest

from modality_assets.settings import DEMO, SettingsError
from modality_assets.studies import STUDIES, all_trials, trials_of


def test_the_rescaling_study_compares_the_correct_versions_and_the_published_one():
    rescalings = [trial.rescaling for trial in trials_of("rescaling", DEMO)]
    assert rescalings == ["image_range", "dtype_range", "dtype_range_published"]


def test_the_regularisation_study_has_the_published_penalties_on_vgg16_with_dropout():
    trials = trials_of("regularisation", DEMO)
    assert [trial.recipe_changes["weight_decay"] for trial in trials] == [0.0, 0.005, 0.01, 0.015, 0.02]
    assert {trial.architecture for trial in trials} == {"vgg16_dropout"}


def test_every_trial_has_a_key_of_its_own():
    settings = DEMO.with_changes({"studies": tuple(STUDIES)})
    assert len(all_trials(settings)) == sum(len(trials_of(study, settings)) for study in STUDIES)


def test_an_unknown_study_is_named_with_those_there_are():
    with pytest.raises(SettingsError, match="regularisation"):
        trials_of("astrology", DEMO)
