"""Fitting a calibration to the validate split: exponents, and the confidence below which nothing is said."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import FLOOR, Calibration, Coverage, joined, power
from modality_assets.prediction.errors import NothingToFitError
from modality_assets.prediction.exponents import count_groups, even_weights, fit_exponents

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)


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
    How exponents are fitted to few datasets is said at `fit_exponents`. Raises `NothingToFitError` for no images.
    """
    if not len(pixels):
        raise NothingToFitError("there are no validate images to calibrate on: plan a split that has some")
    datasets = images["dataset"].to_numpy()
    (a,) = fit_exponents(lambda x: power(pixels, x), labels, datasets, [1.0])
    exponents: dict[str, Any] = {"pixels": a, "joined_pixels": a}
    if intensities is not None and speaks is not None and speaks.any():
        seen, heard = pixels[speaks], intensities[speaks]
        known = labels[speaks], datasets[speaks]
        floor = FLOOR["intensities"]
        (exponents["intensities"],) = fit_exponents(lambda x: power(heard, x, floor), *known, [1.0])
        exponents["joined_pixels"], exponents["joined_intensities"] = fit_exponents(
            lambda x, y: joined(seen, heard, x, y), *known, [a, 1.0]
        )
    fitted = {"images": len(labels), "datasets": len(set(datasets)), "groups": count_groups(labels, datasets)}
    found = Calibration(fitted_on=fitted, **exponents)
    curves = {}
    for evidence in ("pixels",) if intensities is None else ("both", "pixels", "intensities"):
        probabilities = found.calibrated(evidence, pixels, intensities, speaks)
        curves[f"{evidence}/image"] = coverage_curve(probabilities, labels, even_weights(labels, datasets))
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
