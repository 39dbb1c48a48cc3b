"""Trivial classifiers that any model must beat: what a majority, four numbers, or a file's size give away."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from modality_assets.evaluation.errors import TooFewImagesError
from modality_assets.evaluation.predictions import FACTS, KEYS, MAIN_EVIDENCE, class_codes, predictions_of_images
from modality_assets.evaluation.report import read_metrics
from modality_assets.modality import CLASSES

NATIVE_STATISTICS = ("native_mean", "native_std", "native_min", "native_max")
SIZE_AND_BITS = ("rows", "columns", "bits_stored")

COLUMNS = tuple(dict.fromkeys((*KEYS, *FACTS, "modality", *NATIVE_STATISTICS, *SIZE_AND_BITS)))
"""What is read of the tables of decoded images."""

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


def against_baselines(
    models: Mapping[str, Path], baselines: Mapping[str, Path], *, split: str = "test"
) -> pl.DataFrame:
    """Compare the reports of ``models`` with those of ``baselines``, by balanced accuracy on ``split``.

    One row per model and baseline: model, baseline, evidence, pixels, all_evidence, baseline_score, margin,
    beaten. A model counts by all the evidence that it has, as `predict` uses it; what its pixels alone reach
    stands beside. Raises `UnreadableReportError` for a folder without a report.
    """
    scores = {name: _scores(folder, split) for name, folder in {**models, **baselines}.items()}
    rows = []
    for model in models:
        of_model = scores[model]
        used = "both" if "both" in of_model else MAIN_EVIDENCE
        for baseline in baselines:
            other = next(iter(scores[baseline].values()))
            margin = of_model[used] - other
            rows.append((model, baseline, used, of_model[MAIN_EVIDENCE], of_model[used], other, margin, margin > 0))
    columns = ("model", "baseline", "evidence", "pixels", "all_evidence", "baseline_score", "margin", "beaten")
    return pl.DataFrame(rows, schema=columns, orient="row")


def _scores(folder: Path, split: str) -> dict[str, float]:
    evidence = read_metrics(folder)["evidence"]
    return {kind: splits[split]["balanced_accuracy"] for kind, splits in evidence.items() if split in splits}


def _boosted(train: pl.DataFrame, images: pl.DataFrame, columns: tuple[str, ...], seed: int) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

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
