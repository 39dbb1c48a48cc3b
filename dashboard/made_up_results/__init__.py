"""Made-up results of any size, in the shape of real ones: for tests, and to measure the pages.

    python -m dashboard.made_up_results FOLDER --predictions 4500000 --datasets 120 --models 16

Every number is drawn by chance; nothing here says anything about a model. Predictions are shared among the models.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dashboard.made_up_results.archive import write_archive
from dashboard.made_up_results.decoded import write_decoded
from dashboard.made_up_results.images import made_up_datasets, made_up_images
from dashboard.made_up_results.models import (
    baseline_rows,
    ingredient_rows,
    probes,
    published_rows,
    write_disagreements,
    write_model,
)
from dashboard.made_up_results.publish import publish
from dashboard.made_up_results.refresh import write_refresh
from modality_assets.layout import DataLayout
from modality_assets.manifest import MANIFEST
from modality_assets.settings import DEMO, write_settings

_ARCHITECTURES = ("resnet18", "mnasnet1_0", "resnet34", "resnet50", "vgg16", "vgg16_dropout", "densenet121", "other")
_RESCALINGS = ("image_range", "dtype_range", "dtype_range_published")


@dataclass(frozen=True)
class Size:
    """How much to make up."""

    predictions: int = 2_000
    datasets: int = 9
    models: int = 2
    image_size: int = 32


def make_up_results(root: Path, size: Size = Size(), seed: int = 0) -> DataLayout:
    """Write a whole data root of made-up results and return its layout."""
    layout, chance = DataLayout(root), np.random.default_rng(seed)
    models = [
        (_ARCHITECTURES[n // 2 % len(_ARCHITECTURES)], _RESCALINGS[n % 2 + n // (2 * len(_ARCHITECTURES))])
        for n in range(size.models)
    ]
    settings = {
        "architectures": tuple(dict.fromkeys(one for one, _ in models)),
        "rescalings": tuple(dict.fromkeys(one for _, one in models)),
    }
    write_settings(layout.settings, DEMO.with_changes(settings))
    datasets = made_up_datasets(size.datasets, chance)
    images = made_up_images(datasets, size.predictions // size.models, chance)
    write_archive(layout, datasets, images)
    write_decoded(layout, images, size.image_size, chance)
    rows = []
    for number, (architecture, rescaling) in enumerate(models):
        rows += write_model(layout, architecture, rescaling, images, 0.93 - 0.25 * (number % 2) - 0.01 * number, chance)
    comparison = pl.DataFrame(
        [*rows, *baseline_rows(), *ingredient_rows(), *published_rows()], infer_schema_length=None
    )
    tables = {"comparison.parquet": comparison, "probes.parquet": probes(models)}
    publish(layout.reports, "model_comparison", None, tables, {}, shared=MANIFEST)
    write_disagreements(layout, images)
    write_refresh(layout, datasets, pl.read_parquet(layout.report(*models[0]) / "per_dataset.parquet"))
    return layout
