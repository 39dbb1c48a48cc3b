"""The studies: families of trials that differ in one thing, each trial one training and its report."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modality_assets.settings import Settings, SettingsError

MAIN_STUDY = "main"
"""What the trained models themselves are said to belong to."""


@dataclass(frozen=True)
class Trial:
    """One training of a study; ``recipe_changes`` are fields of the recipe that the trial sets."""

    study: str
    name: str
    architecture: str
    rescaling: str
    recipe: str
    recipe_changes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The partition key. One dimension, as a product of studies and trials would offer pairs that mean nothing."""
        return f"{self.study}.{self.name}"


def _rescaling(settings: Settings) -> list[Trial]:
    """Which range an image is scaled by: its own, or its data type's, right and as published (faulty when signed)."""
    return [
        Trial("rescaling", name, settings.study_architecture, name, settings.recipe)
        for name in ("image_range", "dtype_range", "dtype_range_published")
    ]


def _regularisation(_settings: Settings) -> list[Trial]:
    """L2 penalties on VGG16 with dropout, as in section 6.3 of the dissertation: SGD's, in the published recipe."""
    return [
        Trial("regularisation", f"l2-{l2:g}", "vgg16_dropout", "dtype_range", "dissertation", {"weight_decay": l2})
        for l2 in (0.0, 0.005, 0.01, 0.015, 0.02)
    ]


STUDIES: dict[str, Callable[[Settings], list[Trial]]] = {"rescaling": _rescaling, "regularisation": _regularisation}


def trials_of(study: str, settings: Settings) -> list[Trial]:
    """Return the trials of ``study`` under ``settings``; raise `SettingsError` for an unknown study."""
    if study not in STUDIES:
        raise SettingsError(f"unknown study {study!r}: the studies are {', '.join(STUDIES)}")
    return STUDIES[study](settings)


def all_trials(settings: Settings) -> dict[str, Trial]:
    """Return every trial of the chosen studies by its partition key."""
    return {trial.key: trial for study in settings.studies for trial in trials_of(study, settings)}
