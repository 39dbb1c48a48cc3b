"""What a user may choose, in one place: read from a file, kept in the data root, shown in the Dagster UI.

Assets hash only the settings that they read, so changing one makes only its own results stale.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modality_assets.manifest import write_json


class SettingsError(ValueError):
    """The settings file cannot be read, or holds a value that is not allowed."""


class Settings(BaseModel):
    """The choices behind one data root; the defaults are those of a full-size study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0

    # catalogue and cohort
    policies: dict[str, bool] = Field(default_factory=dict, description="policy name to on/off, where not the default")
    cohort: str = Field("all", description="'all' of the archive, or a named cohort such as 'dissertation'")
    caps: dict[str, int] = Field(
        {"MR": 100_000, "CT": 50_000}, description="most images per dataset of a class; a class not named has no cap"
    )
    budget_gb: float | None = Field(None, gt=0, description="most GB to fetch")
    budget_images: int | None = Field(None, gt=0, description="most images to fetch")
    excluded: dict[str, str] = Field(default_factory=dict, description="dataset to the reason for leaving it out")

    # split
    plan: str = Field("optimised", description="'optimised', 'published', or a named alternative plan")
    shares: dict[str, float] = Field({"train": 0.65, "validate": 0.15, "test": 0.20})

    # source files and decoding
    max_missing_share: float = Field(
        0.1, ge=0, le=1, description="a dataset fails when more of its series than this are missing"
    )
    max_quarantine_share: float = Field(
        0.1, ge=0, le=1, description="share of files that may be unreadable before the check fails"
    )
    image_size: int = Field(224, ge=8, le=1024, description="height and width of the stored images, pixels")
    aspect: Literal["stretch", "pad"] = "stretch"
    workers: int | None = Field(None, ge=1, description="worker processes; by default one per core")
    cluster: str | None = Field(
        None, description="a Ray cluster, 'auto' or HOST:PORT: partitions run on it as jobs, decoding as its tasks"
    )
    cluster_gpus: int = Field(0, ge=0, description="GPUs that a training or evaluation asks of the cluster")

    # shards and training
    rescalings: tuple[str, ...] = ("image_range", "dtype_range")
    architectures: tuple[str, ...] = (
        "resnet18",
        "resnet34",
        "resnet50",
        "vgg16",
        "vgg16_dropout",
        "densenet121",
        "mnasnet1_0",
        "efficientnet_lite0",
    )
    recipe: str = "dissertation"
    epochs: int | None = Field(None, ge=1, description="overrides the recipe's number of epochs")
    pretrained: dict[str, str] = Field(
        default_factory=dict, description="architecture to a safetensors file of torchvision's weights to start from"
    )
    ranks: int = Field(
        1, ge=1, description="processes of each machine that train one model together by torchrun, one to a GPU"
    )
    machines: int = Field(1, ge=1, description="machines that train one model together; see docs/scaling.md")
    rendezvous: str | None = Field(
        None, pattern=r"^[^:\s]+:\d+$", description="HOST:PORT of the first of several machines"
    )
    studies: tuple[str, ...] = Field(
        ("rescaling", "baselines", "probe"),
        description="made by a whole run; the trials of every study can be launched from the UI",
    )
    study_architecture: str = Field(
        "resnet18", description="the architecture of the rescaling, recipe and ingredients studies"
    )
    study_recipes: tuple[str, ...] = Field(("dissertation", "robust"), description="the recipes of the recipe study")
    study_seeds: tuple[int, ...] = Field((0, 1, 2), description="the seeds of the recipe and ingredients studies")

    # refresh: what follows a release of the archive by itself
    look_every_minutes: float = Field(15, gt=0, description="how often the archive is asked for its version")
    runs_in_flight: int = Field(8, ge=1, description="most runs asked for and not yet done")
    attempts: int = Field(3, ge=1, description="how often a run that fails is tried before it is set aside")
    retry_after_seconds: float = Field(60, ge=0, description="pause before the second attempt; doubled for each other")
    retrain: Literal["never", "on_release", "on_schedule"] = Field(
        "never", description="when models whose images changed are trained again; 'never' marks them stale"
    )
    retrain_from: Literal["previous", "scratch"] = Field("scratch", description="the weights that retraining starts at")
    retrain_schedule: str = Field("0 6 * * 6", description="cron (UTC) of the retraining 'on_schedule'")
    promotion_margin: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="a new model replaces the old one if it is better by this, in balanced accuracy on validate",
    )

    def with_changes(self, changes: dict[str, Any]) -> "Settings":
        """Return a copy with ``changes``, checked; raise `SettingsError` naming what is wrong."""
        return _checked(self.model_dump() | changes, "the settings given")


DEMO = Settings(
    image_size=64,
    architectures=("resnet18", "efficientnet_lite0"),
    rescalings=("image_range", "dtype_range"),
    recipe="quick",
    look_every_minutes=0.25,
    retry_after_seconds=15,
    retrain="on_release",
)
"""Small enough for two cores without a GPU; everything else as in a full-size study."""


def read_settings(path: Path, default: Settings) -> Settings:
    """Return the settings in the JSON file ``path`` over ``default``; ``default`` where there is no file."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return default
    try:
        values = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{path}: not valid JSON ({error}); correct it, or delete it to use the defaults") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: must hold one JSON object of setting names and values")
    return _checked(default.model_dump() | values, str(path))


def write_settings(path: Path, settings: Settings) -> None:
    """Write every setting as JSON, whole or not at all."""
    write_json(path, settings.model_dump())


def _checked(values: dict[str, Any], where: str) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"{where}: setting {name!r}: {first['msg']}; see `modality_assets/settings.py` for what is allowed"
        ) from None
