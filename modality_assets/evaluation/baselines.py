"""Trivial classifiers that any model must beat: what a majority, four numbers, or a file's size give away."""

from collections.abc import Callable

import numpy as np
import polars as pl

from modality_assets.evaluation.errors import TooFewImagesError
from modality_assets.evaluation.predictions import class_codes, predictions_of_images
from modality_assets.modality import CLASSES

NATIVE_STATISTICS = ("native_mean", "native_std", "native_min", "native_max")
SIZE_AND_BITS = ("rows", "columns", "bits_stored")

_ROWS_WORTH_THREADS = 20_000
_MOST_IMAGES = 200_000
"""More images to fit on change a boosted tree of four numbers no more."""


def majority(train: pl.DataFrame, images: pl.DataFrame, *, seed: int = 0) -> np.ndarray:
    """Give every image the class shares of ``train``: always the commonest class."""
    counts = np.bincount(class_codes(train["modality"]), minlength=len(CLASSES))
    return np.tile(counts / counts.sum(), (len(images), 1))


def native_statistics(train: pl.DataFrame, images: pl.DataFrame, *, seed: int = 0) -> np.ndarray:
    """Gradient boosting on mean, standard deviation, minimum and maximum of native intensities."""
    return _boosted(train, images, NATIVE_STATISTICS, seed)


def size_and_bits(train: pl.DataFrame, images: pl.DataFrame, *, seed: int = 0) -> np.ndarray:
    """Gradient boosting on rows, columns and bits stored: what an image gives away before it is looked at."""
    return _boosted(train, images, SIZE_AND_BITS, seed)


BASELINES: dict[str, Callable[..., np.ndarray]] = {
    "majority": majority,
    "native_statistics": native_statistics,
    "size_and_bits": size_and_bits,
}
"""Each maps (train images, images, seed=) to probabilities (N, 4), from rows of the tables of decoded images."""


def baseline_predictions(name: str, splits: dict[str, pl.DataFrame], *, seed: int = 0) -> pl.DataFrame:
    """Fit the baseline ``name`` to the train split and return its predictions of every split.

    ``splits`` maps each split to the rows of the tables of decoded images of its datasets. The predictions are
    a table like a model's, with the baseline's name as evidence, so `report.write_report` takes it.
    Raises `TooFewImagesError` for an empty train split, or one of a single class where trees are to be fitted.
    """
    train = splits["train"].filter(pl.col("modality").is_in(CLASSES))
    if train.is_empty():
        raise TooFewImagesError("the train split has no images to fit a baseline to: plan a split that has some")
    tables = []
    for split, images in splits.items():
        known = images.filter(pl.col("modality").is_in(CLASSES))
        probabilities = BASELINES[name](train, known, seed=seed)
        tables.append(predictions_of_images(known, probabilities, split=split, evidence=name))
    return pl.concat(tables)


def _boosted(train: pl.DataFrame, images: pl.DataFrame, columns: tuple[str, ...], seed: int) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(train) > _MOST_IMAGES:
        train = train.sample(_MOST_IMAGES, seed=seed)
    labels = class_codes(train["modality"])
    if len(set(labels)) < 2:
        raise TooFewImagesError("the train split has images of one class only: plan a split that has every class")
    model = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed, early_stopping=False)
    found = np.zeros((len(images), len(CLASSES)))
    # Threads that wait for one another cost more than they save on few rows, the more so on a busy machine.
    with threadpool_limits(1 if len(train) < _ROWS_WORTH_THREADS else None, user_api="openmp"):
        model.fit(_numbers(train, columns), labels)
        if len(images):
            found[:, model.classes_] = model.predict_proba(_numbers(images, columns))
    return found


def _numbers(images: pl.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    return images.select(pl.col(columns).cast(pl.Float64).fill_null(np.nan)).to_numpy()
