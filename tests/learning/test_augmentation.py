from dataclasses import fields, replace

import pytest
import torch

from modality_assets.learning.augmentation import Augmentation, augment, draw
from modality_assets.learning.recipes import recipe

EVERYTHING = Augmentation(
    flip_horizontal=True,
    flip_vertical=True,
    zoom=(0.7, 2.0),
    stretch=0.2,
    shift=0.2,
    rotation=20,
    gamma=0.5,
    contrast=0.3,
    brightness=0.1,
    noise=0.05,
    blur=0.5,
    erase=0.5,
)


def numbers(count: int, seed: int = 0) -> torch.Tensor:
    return draw(count, torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 12, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=generator(9))


def test_the_default_changes_nothing():
    assert torch.equal(augment(images(), Augmentation(), numbers(12)), images())


def test_moves_and_gamma_keep_shape_and_range():
    changed = augment(images(), replace(EVERYTHING, noise=0.0, contrast=0.0, brightness=0.0), numbers(12))
    assert changed.shape == (12, 1, 32, 32)
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


def test_values_outside_zero_to_one_are_not_clipped_as_evaluation_would_see_them_too():
    far = 1000 * images() - 500
    changed = augment(far, recipe("quick").augmentation, numbers(12))
    assert float(changed.min()) < -300
    assert float(changed.max()) > 300


@pytest.mark.parametrize("name", [item.name for item in fields(Augmentation)])
def test_each_ingredient_alone_changes_images(name):
    only = replace(Augmentation(), **{name: getattr(EVERYTHING, name)})
    assert not torch.allclose(augment(images(), only, numbers(12), generator()), images(), atol=1e-3)


def test_the_same_numbers_give_the_same_images_and_others_give_others():
    one, same = (augment(images(), EVERYTHING, numbers(12), generator()) for _ in range(2))
    other = augment(images(), EVERYTHING, numbers(12, seed=1), generator())
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_an_image_is_changed_in_the_same_way_whatever_else_is_in_its_batch():
    without_noise = replace(EVERYTHING, noise=0.0)
    whole = augment(images(), without_noise, numbers(12))
    half = augment(images()[::2], without_noise, numbers(12)[::2])
    torch.testing.assert_close(whole[::2], half)


def test_flips_are_exact_mirrors_of_about_half_the_images():
    flipped = augment(images(200, 8), Augmentation(flip_horizontal=True), numbers(200))
    same = torch.isclose(flipped, images(200, 8), atol=1e-5).all(dim=3).all(dim=2)[:, 0]
    mirrored = torch.isclose(flipped, images(200, 8).flip(3), atol=1e-5).all(dim=3).all(dim=2)[:, 0]
    assert bool((same | mirrored).all())
    assert 70 < int(mirrored.sum()) < 130


def test_zooming_in_crops_without_blank_borders():
    bright = torch.ones(50, 1, 32, 32)
    cropped = augment(bright, Augmentation(zoom=(1.3, 2.0)), numbers(50))
    assert float(cropped.min()) > 0.99


def test_the_recipes_augmentations_leave_most_of_an_image_visible():
    bright = torch.ones(200, 1, 32, 32)
    for name in ("quick", "robust"):
        changed = augment(bright, recipe(name).augmentation, numbers(200), generator())
        assert float((changed > 0.5).float().mean()) > 0.7
