import dataclasses
import json

import pytest

from modality_assets.learning import recipes
from modality_assets.learning.errors import UnknownRecipeError


def test_the_dissertations_recipe_is_the_published_one():
    published = recipes.recipe("dissertation")
    assert (published.batch_size, published.epochs, published.optimiser) == (128, 5, "sgd")
    assert (published.momentum, published.learning_rate, published.schedule) == (0.9, 0.1, "plateau")
    assert (published.weight_decay, published.balance, published.standardise) == (0.0, "none", False)


def test_the_low_rate_recipe_differs_from_the_dissertations_in_its_rate_alone():
    one, other = recipes.recipe("dissertation").record(), recipes.recipe("dissertation_low_lr").record()
    assert {name for name in one if one[name] != other[name]} == {"name", "learning_rate"}


def test_every_recipe_can_be_written_as_json_and_not_be_changed():
    for name in recipes.names():
        recipe = recipes.recipe(name)
        assert recipe.name == name
        assert json.loads(json.dumps(recipe.record()))["name"] == name
        with pytest.raises(dataclasses.FrozenInstanceError):
            recipe.epochs = 1


def test_an_ingredient_can_be_changed_by_name():
    assert recipes.recipe("dissertation", weight_decay=0.02).weight_decay == 0.02


def test_unknown_recipes_and_ingredients_are_refused_with_the_known_ones_listed():
    with pytest.raises(UnknownRecipeError, match=r"'fast'.*quick.*dissertation"):
        recipes.recipe("fast")
    with pytest.raises(UnknownRecipeError, match=r"'salt'.*learning_rate"):
        recipes.recipe("quick", salt=1)


def test_vgg16_gets_the_rate_it_needs():
    assert recipes.recipe_for("vgg16", "dissertation").name == "dissertation_low_lr"
    assert recipes.recipe_for("vgg16_dropout", "dissertation", weight_decay=0.01).weight_decay == 0.01
    assert recipes.recipe_for("resnet18", "dissertation").name == "dissertation"
    assert recipes.recipe_for("vgg16", "quick").learning_rate < recipes.recipe_for("resnet18", "quick").learning_rate


def test_mnasnet_gets_twice_the_epochs_of_the_quick_recipe_and_no_others():
    assert recipes.recipe_for("mnasnet1_0", "quick").epochs == 2 * recipes.recipe("quick").epochs
    assert recipes.recipe_for("mnasnet1_0", "quick", epochs=3).epochs == 3
    assert recipes.recipe_for("mnasnet1_0", "robust") == recipes.recipe("robust")


def test_the_light_efficientnet_keeps_what_it_learnt_from_photographs_but_in_the_published_recipe():
    kept = recipes.recipe_for("efficientnet_lite0", "robust")
    assert (kept.pretrained, kept.frozen, kept.standardise) == (True, True, False)
    assert (kept.optimiser, kept.weight_decay) == ("sgd", 0.3)
    assert recipes.recipe_for("efficientnet_lite0", "dissertation") == recipes.recipe("dissertation")


@pytest.mark.parametrize("ingredient", recipes.INGREDIENTS)
def test_an_ingredient_left_out_is_gone_and_nothing_else(ingredient):
    whole, rest = (
        recipe.record() for recipe in (recipes.recipe("robust"), recipes.without(recipes.recipe("robust"), ingredient))
    )
    named = recipes.INGREDIENTS[ingredient]
    for name, value in whole.items():
        if name == "augmentation":
            changed = named.get(name, {})
            assert all(value[part] != changed[part] for part in changed)
            assert rest[name] == value | changed
        else:
            assert (rest[name] != value) == (name in named)
            assert rest[name] == named.get(name, value)


def test_an_unknown_ingredient_is_refused_with_those_there_are():
    with pytest.raises(UnknownRecipeError, match="'salt' is unknown; choose one of balanced_sampling"):
        recipes.without(recipes.recipe("robust"), "salt")
