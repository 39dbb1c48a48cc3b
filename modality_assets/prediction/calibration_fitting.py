"""Fitting a calibration to the validate split: exponents, and the confidence below which nothing is said."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import FLOOR, Calibration, Coverage, joined, power
from modality_assets.prediction.errors import NothingToFitError
from modality_assets.prediction.intensity_fitting import even_weights

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
_SPREAD = 0.5
"""Standard deviation of the logarithm of an exponent, before anything is seen."""


def fit_calibration(
    pixels: np.ndarray,
    labels: np.ndarray,
    images: pl.DataFrame,
    *,
    intensities: np.ndarray | None = None,
    speaks: np.ndarray | None = None,
) -> Calibration:
    """Fit a `Calibration` to the validate split.

    ``pixels`` (N, 4) are a model's probabilities, ``labels`` (N,) indices in `CLASSES`, ``images`` (N rows)
    have dataset and series_uid; ``intensities`` (N, 4) and ``speaks`` (N,) come from the intensity model.
    Each class weighs the same and within it each dataset; exponents are held to 1 by a prior that a handful of
    datasets can move but not overthrow. Raises `NothingToFitError` for no images.
    """
    if not len(pixels):
        raise NothingToFitError("there are no validate images to calibrate on: plan a split that has some")
    datasets = images["dataset"].to_numpy()
    weights = even_weights(labels, datasets)
    groups = len({*zip(labels.tolist(), datasets.tolist(), strict=True)})
    a = _exponent(lambda x: power(pixels, x), labels, weights, groups)
    exponents: dict[str, Any] = {"pixels": a, "joined_pixels": a}
    if intensities is not None and speaks is not None and speaks.any():
        own, heard = even_weights(labels[speaks], datasets[speaks]), labels[speaks]
        own_groups = len({*zip(heard.tolist(), datasets[speaks].tolist(), strict=True)})
        exponents["intensities"] = _exponent(
            lambda x: power(intensities[speaks], x, FLOOR["intensities"]), heard, own, own_groups
        )
        exponents["joined_pixels"], exponents["joined_intensities"] = _two_exponents(
            lambda x, y: joined(pixels[speaks], intensities[speaks], x, y), heard, own, own_groups, a
        )
    fitted = {"images": len(labels), "datasets": len(set(datasets)), "groups": groups}
    found = Calibration(fitted_on=fitted, **exponents)
    curves = {}
    for evidence in ("pixels",) if intensities is None else ("both", "pixels", "intensities"):
        probabilities = found.calibrated(evidence, pixels, intensities, speaks)
        curves[f"{evidence}/image"] = coverage_curve(probabilities, labels, weights)
        curves[f"{evidence}/series"] = _series_curve(probabilities, labels, images)
    return replace(found, coverage=curves)


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> list[Coverage]:
    """Return for each of `COVERAGES` the threshold that keeps at least that weighted share, and how right it is."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    curve = []
    for coverage in COVERAGES:
        last = order[min(int(np.searchsorted(share, coverage - 1e-9)), len(order) - 1)]
        threshold = 0.0 if coverage == 1 else float(confidence[last])
        kept = confidence >= threshold
        curve.append(Coverage(coverage, threshold, float(np.average(right[kept], weights=weights[kept]))))
    return curve


def _series_curve(probabilities: np.ndarray, labels: np.ndarray, images: pl.DataFrame) -> list[Coverage]:
    frame = pl.DataFrame(probabilities, schema=list(CLASSES)).with_columns(
        dataset=images["dataset"],
        series=images.select(pl.coalesce("series_uid", "source_file")).to_series(),
        label=pl.Series(labels, dtype=pl.Int64),
    )
    series = frame.group_by("dataset", "series", maintain_order=True).agg(
        pl.col(CLASSES).mean(), pl.col("label").first()
    )
    actual = series["label"].to_numpy()
    return coverage_curve(series.select(CLASSES).to_numpy(), actual, even_weights(actual, series["dataset"].to_numpy()))


def _exponent(model: Callable[[float], np.ndarray], labels: np.ndarray, weights: np.ndarray, groups: int) -> float:
    from scipy.optimize import minimize_scalar

    def cost(log_x: float) -> float:
        return groups * _surprise(model(np.exp(log_x)), labels, weights) + log_x**2 / (2 * _SPREAD**2)

    return float(np.exp(minimize_scalar(cost, bounds=(np.log(0.1), np.log(10)), method="bounded").x))


def _two_exponents(
    model: Callable[[float, float], np.ndarray], labels: np.ndarray, weights: np.ndarray, groups: int, start: float
) -> tuple[float, float]:
    from scipy.optimize import minimize

    def cost(logs: np.ndarray) -> float:
        distance = (logs[0] - np.log(start)) ** 2 + logs[1] ** 2
        return groups * _surprise(model(*np.exp(logs)), labels, weights) + distance / (2 * _SPREAD**2)

    found = minimize(cost, x0=np.array([np.log(start), 0.0]), method="L-BFGS-B", bounds=[(np.log(0.1), np.log(10))] * 2)
    return float(np.exp(found.x[0])), float(np.exp(found.x[1]))


def _surprise(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean of −log probability of the actual class."""
    own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
    return float(np.average(-np.log(own), weights=weights))
