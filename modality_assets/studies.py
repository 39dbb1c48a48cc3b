"""The studies: families of trials that differ in one thing.

A trial trains a network and reports on it, or it is one of the honesty tools: a trivial baseline that any model
must beat, or a probe that asks how well a model's features know the dataset.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from modality_assets.settings import Settings, SettingsError

MAIN_STUDY = "main"
"""What the trained models themselves are said to belong to."""

REGULARISATION = "regularisation"
"""The study whose published figures stand under a name of their own."""

BASELINES = ("majority", "native_statistics", "size_and_bits")
"""The trivial classifiers, by name; `evaluation.baselines` fits them."""

INGREDIENTS = (
    "balanced_sampling",
    "crops_and_zoom",
    "flips_and_rotation",
    "intensity_and_noise",
    "standardisation",
    "label_smoothing",
    "cosine_and_warm_up",
    "weight_averaging",
)
"""What can be left out of the recipe `robust`, by name; `learning.recipes.without` does it."""

NOTHING = "none"
"""Stands where a baseline has no rescaling and no recipe."""


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What every trial has. ``rescaling`` names the shards that it reads."""

    study: str
    name: str
    rescaling: str
    seed: int

    @property
    def key(self) -> str:
        """The partition key. One dimension, as a product of studies and trials would offer pairs that mean nothing."""
        return f"{self.study}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class TrainingTrial(_Trial):
    """One training and its report.

    ``recipe_changes`` are fields of the recipe that the trial sets, ``left_out`` one of its `INGREDIENTS`.
    """

    architecture: str
    recipe: str
    recipe_changes: dict[str, Any] = field(default_factory=dict)
    left_out: str | None = None

    @property
    def recipe_label(self) -> str:
        """The recipe with its changes, those of the published tables as they write them: 'dissertation L2=0.005'."""
        names = {"weight_decay": "L2"}
        changes = (
            f"{names.get(name, name)}={f'{value:g}' if isinstance(value, float) else value}"
            for name, value in self.recipe_changes.items()
        )
        without = [] if self.left_out is None else ["without", self.left_out.replace("_", " ")]
        return " ".join([self.recipe, *changes, *without])


@dataclass(frozen=True, kw_only=True)
class BaselineTrial(_Trial):
    """One trivial baseline, judged on the images that the shards of ``rescaling`` hold; it sees no pixels."""

    baseline: str


@dataclass(frozen=True, kw_only=True)
class ProbeTrial(_Trial):
    """What the features of the trained model of ``architecture`` and ``rescaling`` know of the dataset."""

    architecture: str


Trial = TrainingTrial | BaselineTrial | ProbeTrial


def _rescaling(settings: Settings) -> Sequence[Trial]:
    """Which range an image is scaled by: its own, or its data type's, right and as published (faulty when signed)."""
    return [
        TrainingTrial(
            study="rescaling",
            name=name,
            architecture=settings.study_architecture,
            rescaling=name,
            recipe=settings.recipe,
            seed=settings.seed,
        )
        for name in ("image_range", "dtype_range", "dtype_range_published")
    ]


def _regularisation(settings: Settings) -> Sequence[Trial]:
    """L2 penalties on VGG16 with dropout, as in section 6.3 of the dissertation: SGD's, in the published recipe."""
    return [
        TrainingTrial(
            study=REGULARISATION,
            name=f"l2-{l2:g}",
            architecture="vgg16_dropout",
            rescaling="dtype_range",
            recipe="dissertation",
            recipe_changes={"weight_decay": l2},
            seed=settings.seed,
        )
        for l2 in (0.0, 0.005, 0.01, 0.015, 0.02)
    ]


def _recipe(settings: Settings) -> Sequence[Trial]:
    """Whole recipes against each other, each over several seeds: one seed is an anecdote."""
    return [
        TrainingTrial(
            study="recipe",
            name=f"{recipe}-seed-{seed}",
            architecture=settings.study_architecture,
            rescaling="image_range",
            recipe=recipe,
            seed=seed,
        )
        for recipe in settings.study_recipes
        for seed in settings.study_seeds
    ]


def _ingredients(settings: Settings) -> Sequence[Trial]:
    """What each ingredient of `robust` buys: the whole recipe, and the recipe without each, over several seeds."""
    return [
        TrainingTrial(
            study="ingredients",
            name=f"{'whole' if left_out is None else f'without-{left_out}'}-seed-{seed}",
            architecture=settings.study_architecture,
            rescaling="image_range",
            recipe="robust",
            left_out=left_out,
            seed=seed,
        )
        for left_out in (None, *INGREDIENTS)
        for seed in settings.study_seeds
    ]


def _baselines(settings: Settings) -> Sequence[Trial]:
    """What can be told without looking at an image; the shards of every rescaling hold the same ones."""
    return [
        BaselineTrial(study="baselines", name=name, baseline=name, rescaling=settings.rescalings[0], seed=settings.seed)
        for name in BASELINES
    ]


def _probe(settings: Settings) -> Sequence[Trial]:
    """One probe of each trained model."""
    return [
        ProbeTrial(
            study="probe",
            name=f"{architecture}-{rescaling}",
            architecture=architecture,
            rescaling=rescaling,
            seed=settings.seed,
        )
        for architecture in settings.architectures
        for rescaling in settings.rescalings
    ]


STUDIES: dict[str, Callable[[Settings], Sequence[Trial]]] = {
    "rescaling": _rescaling,
    REGULARISATION: _regularisation,
    "recipe": _recipe,
    "ingredients": _ingredients,
    "baselines": _baselines,
    "probe": _probe,
}


def trials_of(study: str, settings: Settings) -> Sequence[Trial]:
    """Return the trials of ``study`` under ``settings``; raise `SettingsError` for an unknown study."""
    if study not in STUDIES:
        raise SettingsError(f"unknown study {study!r}: the studies are {', '.join(STUDIES)}")
    return STUDIES[study](settings)


def all_trials(settings: Settings) -> dict[str, Trial]:
    """Return every trial of every study by its partition key: what a user may launch."""
    return _by_key(tuple(STUDIES), settings)


def chosen_trials(settings: Settings) -> dict[str, Trial]:
    """Return the trials of the chosen studies by partition key: what a whole run makes."""
    return _by_key(settings.studies, settings)


def _by_key(studies: Sequence[str], settings: Settings) -> dict[str, Trial]:
    return {trial.key: trial for study in studies for trial in trials_of(study, settings)}
