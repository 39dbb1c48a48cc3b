"""Fitting the evidence of native intensities to the images of the train split.

Few datasets stand for many scanners, so images are varied as scanners vary: MR and PT have no fixed unit
and are scaled freely, CT's zero wanders a little, and radiographs, which most datasets give as 8-bit
pictures, are scaled to the 10 to 16 bits in which detectors deliver them.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import NothingToFitError
from modality_assets.prediction.forest import Forest
from modality_assets.prediction.intensities import STATISTICS, IntensityModel, features, has_native_intensities

IMAGES_PER_DATASET_AND_CLASS = 400
"""More images of one dataset repeat one another; a sample of them keeps fitting to seconds at any size."""

_VARIANTS = 5
_TREES = 100
_SCALE_SPREAD = {"MR": 1.0, "PT": 1.5}
"""Standard deviation of the logarithm of the factor by which images without fixed unit are scaled."""

_ZERO_SPREAD_HU = 20.0


def fit_intensities(train_images: pl.DataFrame, *, seed: int = 0) -> IntensityModel:
    """Fit an `IntensityModel` to ``train_images``, rows of the tables of decoded images with their class.

    Columns used: dataset, modality (class), bits_stored, source_file and frame (for the order), and
    `STATISTICS`. Each class weighs the same, and within it each dataset. Raises `NothingToFitError` for fewer
    than two classes. The same images in any order and the same seed give the same model.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(seed)
    rows = _usable(train_images, rng)
    names, datasets = rows["modality"].to_numpy(), rows["dataset"].to_numpy()
    if len(set(names)) < 2:
        raise NothingToFitError(
            f"native intensities of {len(rows)} images of {', '.join(sorted(set(names))) or 'no class'}: "
            "two classes at least are needed; fetch datasets with more than 8 bits per pixel of another class"
        )
    statistics = rows.select(pl.col(STATISTICS).cast(pl.Float64)).to_numpy()
    eight_bit = ~has_native_intensities(rows)
    varied = [features(_vary(statistics, names, eight_bit, first=i == 0, rng=rng)) for i in range(_VARIANTS)]
    classes = [name for name in CLASSES if name in set(names)]
    model = ExtraTreesClassifier(_TREES, max_depth=10, min_samples_leaf=5, random_state=seed)
    targets = np.array([classes.index(name) for name in names])
    weights = even_weights(names, datasets)
    model.fit(np.concatenate(varied), np.tile(targets, _VARIANTS), sample_weight=np.tile(weights, _VARIANTS))
    return IntensityModel(Forest.of_trees([tree.tree_ for tree in model.estimators_]), tuple(classes))


def even_weights(classes: Sequence | np.ndarray, datasets: Sequence | np.ndarray) -> np.ndarray:
    """Return weights (N,) of mean 1: each class the same in all, and within a class each dataset."""
    frame = pl.DataFrame({"class": pl.Series(classes), "dataset": pl.Series(datasets)})
    images = pl.len().over("class", "dataset")
    groups = pl.col("dataset").n_unique().over("class")
    weights = frame.select((1 / (images * groups)).cast(pl.Float64)).to_series().to_numpy()
    return weights * len(weights) / weights.sum() if len(weights) else weights


def _usable(images: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Images with native intensities, and radiographs of 8 bits; at most so many of a dataset and class."""
    known = images.filter(pl.col("modality").is_in(CLASSES)).with_columns(native=pl.lit(False))
    known = known.with_columns(native=pl.Series(has_native_intensities(known), dtype=pl.Boolean))
    finite = pl.all_horizontal(pl.col(STATISTICS).is_finite().fill_null(False))
    usable = known.filter(pl.col("native") | ((pl.col("modality") == "XR") & finite)).sort(
        "dataset", "modality", "source_file", "frame"
    )
    drawn = usable.with_columns(order=pl.Series(rng.random(len(usable)), dtype=pl.Float64))
    rank = pl.col("order").rank("ordinal").over("dataset", "modality")
    return drawn.filter(rank <= IMAGES_PER_DATASET_AND_CLASS).drop("order", "native")


def _vary(
    statistics: np.ndarray, names: np.ndarray, eight_bit: np.ndarray, *, first: bool, rng: np.random.Generator
) -> np.ndarray:
    """Return the statistics (N, 6) as another scanner might have given them; the ``first`` variant as they are."""
    n = len(statistics)
    factor = np.ones(n)
    shift = np.zeros(n)
    if not first:
        for name, spread in _SCALE_SPREAD.items():
            factor = np.where(names == name, np.exp(rng.normal(0, spread, n)), factor)
        shift = np.where(names == "CT", rng.normal(0, _ZERO_SPREAD_HU, n), 0)
        factor = np.where(names == "XR", 2 ** rng.uniform(-2, 2, n), factor)
    factor = np.where(eight_bit, 2 ** rng.uniform(2, 8, n), factor)  # 8 bits become 10 to 16
    moved = statistics * factor[:, None] + shift[:, None]
    moved[:, STATISTICS.index("native_std")] = statistics[:, STATISTICS.index("native_std")] * factor
    return moved
