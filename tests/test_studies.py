import pytest

from modality_assets.evaluation import baselines
from modality_assets.learning import recipes
from modality_assets.settings import DEMO, Settings, SettingsError
from modality_assets.studies import BASELINES, INGREDIENTS, STUDIES, all_trials, chosen_trials, trials_of


def test_the_rescaling_study_compares_the_correct_versions_and_the_published_one():
    rescalings = [trial.rescaling for trial in trials_of("rescaling", DEMO)]
    assert rescalings == ["image_range", "dtype_range", "dtype_range_published"]


def test_the_regularisation_study_has_the_published_penalties_on_vgg16_with_dropout():
    trials = trials_of("regularisation", DEMO)
    assert [trial.recipe_changes["weight_decay"] for trial in trials] == [0.0, 0.005, 0.01, 0.015, 0.02]
    assert {trial.architecture for trial in trials} == {"vgg16_dropout"}
    # as the published table writes them, so that the two stand side by side
    assert [trial.recipe_label for trial in trials][:2] == ["dissertation L2=0", "dissertation L2=0.005"]


def test_the_recipe_study_trains_each_recipe_over_several_seeds():
    trials = trials_of("recipe", Settings())
    assert {trial.recipe for trial in trials} == {"dissertation", "robust"} <= set(recipes.names())
    assert [trial.seed for trial in trials if trial.recipe == "robust"] == [0, 1, 2]
    assert {(trial.architecture, trial.rescaling) for trial in trials} == {("resnet18", "image_range")}


def test_the_ingredients_study_trains_robust_whole_and_without_each_ingredient():
    trials = trials_of("ingredients", Settings(study_seeds=(0,)))
    assert list(INGREDIENTS) == list(recipes.INGREDIENTS)
    assert [trial.left_out for trial in trials] == [None, *INGREDIENTS]
    assert trials[2].recipe_label == "robust without crops and zoom"
    assert trials[2].key == "ingredients.without-crops_and_zoom-seed-0"


def test_every_trivial_baseline_is_a_trial():
    assert [trial.baseline for trial in trials_of("baselines", DEMO)] == list(BASELINES) == list(baselines.BASELINES)


def test_every_trained_model_is_probed():
    probed = {(trial.architecture, trial.rescaling) for trial in trials_of("probe", DEMO)}
    assert probed == {(one, other) for one in DEMO.architectures for other in DEMO.rescalings}


def test_every_trial_has_a_key_of_its_own_and_can_be_launched_whatever_a_whole_run_makes():
    none_chosen = DEMO.with_changes({"studies": ()})
    assert chosen_trials(none_chosen) == {}
    assert len(all_trials(none_chosen)) == sum(len(trials_of(study, DEMO)) for study in STUDIES)


def test_a_whole_run_makes_the_chosen_studies():
    assert {trial.study for trial in chosen_trials(Settings()).values()} == {"rescaling", "baselines", "probe"}


def test_an_unknown_study_is_named_with_those_there_are():
    with pytest.raises(SettingsError, match="regularisation"):
        trials_of("astrology", DEMO)
