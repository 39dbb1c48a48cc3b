"""Fitting the evidence of native intensities to the images of the train split.

Few datasets stand for many scanners, so images are varied as scanners vary: MR and PT have no fixed unit
and are scaled freely, CT's zero wanders a little, and radiographs, which most datasets give as 8-bit
pictures, are scaled to the 10 to 16 bits in which detectors deliver them.
"""

import numpy as np
import polars as pl

from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import NothingToFitError
from modality_assets.prediction.exponents import even_weights, fit_exponents
from modality_assets.prediction.forest import Forest
from modality_assets.prediction.intensities import (
    STATISTICS,
    IntensityModel,
    all_classes,
    features,
    has_native_intensities,
    sharpened,
)

IMAGES_PER_DATASET_AND_CLASS = 400
"""More images of one dataset repeat one another; a sample of them keeps fitting to seconds at any size."""

_VARIANTS = 5
_TREES = 100
_FOLDS = 5
_SCALE_SPREAD = {"MR": 1.0, "PT": 1.5}
"""Standard deviation of the logarithm of the factor by which images without fixed unit are scaled."""

_ZERO_SPREAD_HU = 20.0
_WITHOUT_INTERCEPT = 0.05
"""Share of CT made to look like files whose rescale intercept was lost on the way, so that none is ruled out."""


def fit_intensities(train_images: pl.DataFrame, *, seed: int = 0) -> IntensityModel:
    """Fit an `IntensityModel` to ``train_images``, rows of the tables of decoded images with their class.

    Columns used: dataset, modality (class), bits_stored, source_file and frame (for the order), and
    `STATISTICS`. Each class weighs the same, and within it each dataset. Raises `NothingToFitError` for fewer
    than two classes. The same images in any order and the same seed give the same model.
    """
    rng = np.random.default_rng(seed)
    rows = _usable(train_images, rng)
    names, datasets = rows["modality"].to_numpy(), rows["dataset"].to_numpy()
    classes = [name for name in CLASSES if name in set(names)]
    if len(classes) < 2:
        raise NothingToFitError(
            f"native intensities of {len(rows)} images of {', '.join(classes) or 'no class'}: two classes at least "
            "are needed; fetch datasets with more than 8 bits per pixel of another class"
        )
    statistics = rows.select(pl.col(STATISTICS).cast(pl.Float64)).to_numpy()
    eight_bit = ~has_native_intensities(rows)
    varied = [features(_vary(statistics, names, eight_bit, first=i == 0, rng=rng)) for i in range(_VARIANTS)]
    forest = _fit_forest(varied, np.array([classes.index(name) for name in names]), datasets, seed)
    return IntensityModel(forest, tuple(classes), *_fit_sharpness(varied, names, datasets, seed))


def _fit_forest(varied: list[np.ndarray], targets: np.ndarray, datasets: np.ndarray, seed: int) -> Forest:
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(_TREES, max_depth=10, min_samples_leaf=5, random_state=seed)
    weights = even_weights(targets, datasets)
    model.fit(np.concatenate(varied), np.tile(targets, len(varied)), sample_weight=np.tile(weights, len(varied)))
    return Forest.of_trees([tree.tree_ for tree in model.estimators_])


def _fit_sharpness(varied: list[np.ndarray], names: np.ndarray, datasets: np.ndarray, seed: int) -> tuple[float, float]:
    """Fit the exponents of `IntensityModel` to what forests say of datasets that they were not fitted on."""
    folds = np.random.default_rng(seed).permutation(len(unique := np.unique(datasets))) % _FOLDS
    fold = folds[np.searchsorted(unique, datasets)]
    found, labels, sources = [], [], []
    for number in range(_FOLDS):
        inside = fold != number
        classes = [name for name in CLASSES if name in set(names[inside])]
        outside = ~inside & np.isin(names, classes)
        if len(classes) < 2 or not outside.any():
            continue
        targets = np.array([classes.index(name) for name in names[inside]])
        forest = _fit_forest([rows[inside] for rows in varied], targets, datasets[inside], seed)
        found.append(all_classes(forest.shares(varied[0][outside]), classes))
        labels.append(np.array([CLASSES.index(name) for name in names[outside]]))
        sources.append(datasets[outside])
    if not found:
        return 1.0, 1.0
    shares = np.concatenate(found)
    ct, rest = fit_exponents(
        lambda x, y: sharpened(shares, x, y), np.concatenate(labels), np.concatenate(sources), [1.0, 1.0], spread=2.0
    )
    return ct, rest


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
            log_factor = rng.normal(0, spread, n)
            # Noise and resampling make MR and PT a little negative; enlarged, that would pass for air in CT.
            log_factor = np.where(statistics[:, STATISTICS.index("native_min")] < 0, -np.abs(log_factor), log_factor)
            factor = np.where(names == name, np.exp(log_factor), factor)
        zero = rng.normal(0, _ZERO_SPREAD_HU, n) + np.where(rng.random(n) < _WITHOUT_INTERCEPT, 1024, 0)
        shift = np.where(names == "CT", zero, 0)
        factor = np.where(names == "XR", 2 ** rng.uniform(-2, 2, n), factor)
    factor = np.where(eight_bit, 2 ** rng.uniform(2, 8, n), factor)  # 8 bits become 10 to 16
    moved = statistics * factor[:, None] + shift[:, None]
    moved[:, STATISTICS.index("native_std")] = statistics[:, STATISTICS.index("native_std")] * factor
    return moved
