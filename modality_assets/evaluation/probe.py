"""How much of what a model sees is the dataset: a linear probe of its features.

A model may know a class by the scanner, the crop or the file format of the datasets that hold it. If a
straight line through its features names an image's dataset far better than the image's class alone would,
such shortcuts are there to be taken. See Alain & Bengio, "Understanding intermediate layers using linear
classifier probes" (2016).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from modality_assets.evaluation.errors import TooFewImagesError

_MOST_IMAGES_PER_DATASET = 500
"""Of each half."""

SCHEMA: dict[str, pl.DataType] = {
    "trial": pl.String(),
    "architecture": pl.String(),
    "rescaling": pl.String(),
    "datasets": pl.Int64(),
    "images": pl.Int64(),
    "accuracy": pl.Float64(),
    "from_class": pl.Float64(),
    "untrained": pl.Float64(),
    "chance": pl.Float64(),
    "shortcut": pl.Float64(),
}
"""The columns of probes.parquet, as `ProbeResult` names them; ``untrained`` is the accuracy of random features."""


@dataclass(frozen=True)
class ProbeResult:
    """Accuracies are mean recalls over the datasets, on patients that the probe was not fitted on.

    ``accuracy`` is that from the features, ``from_class`` that from the image's class alone, ``chance`` one in
    ``datasets``. ``left_out`` names datasets of which one patient and one series is all there is.
    """

    accuracy: float
    from_class: float
    chance: float
    datasets: int
    images: int
    per_dataset: dict[str, float]
    left_out: list[str]

    def record(self) -> dict[str, Any]:
        """Return the result as a JSON object, with ``shortcut``: what the features know beyond the class, in [0, 1]."""
        room = 1 - self.from_class
        return asdict(self) | {"shortcut": max(0.0, (self.accuracy - self.from_class) / room) if room > 0 else 0.0}


@dataclass(frozen=True)
class ProbeImages:
    """Which images a probe looks at: ``rows`` (n,), ascending, and whether each is ``fitted`` (n,) or tried on."""

    rows: np.ndarray
    fitted: np.ndarray
    left_out: list[str]


def choose_images(datasets: np.ndarray, patients: np.ndarray, series: np.ndarray, *, seed: int = 0) -> ProbeImages:
    """Choose for each dataset images of one half of its patients to fit a probe to, and of the other to try it on.

    ``datasets``, ``patients`` and ``series`` (N,) are the names of each image's. A dataset of one patient is halved
    by series; of one series, it is left out, since its neighbouring slices would answer for each other. At most 500
    images per dataset and half are chosen, so that features need not be computed of every image. Raises
    `TooFewImagesError` where fewer than two datasets remain.
    """
    rng = np.random.default_rng(seed)
    chosen: list[np.ndarray] = []
    fitted: list[np.ndarray] = []
    left_out: list[str] = []
    for name in np.unique(datasets):
        rows = np.flatnonzero(datasets == name)
        by = next((names[rows] for names in (patients, series) if len(np.unique(names[rows])) > 1), None)
        if by is None:
            left_out.append(str(name))
            continue
        units = rng.permutation(np.unique(by))
        first = np.isin(by, units[: (len(units) + 1) // 2])
        for is_fitted in (True, False):
            half = rng.permutation(rows[first == is_fitted])[:_MOST_IMAGES_PER_DATASET]
            chosen.append(half)
            fitted.append(np.full(len(half), is_fitted))
    probed = len(chosen) // 2
    if probed < 2:
        raise TooFewImagesError(
            f"the probe needs two datasets of several series each: {probed} of {probed + len(left_out)} have them"
        )
    rows = np.concatenate(chosen)
    order = np.argsort(rows)
    return ProbeImages(rows[order], np.concatenate(fitted)[order], left_out)


def probe_datasets(features: np.ndarray, datasets: np.ndarray, labels: np.ndarray, images: ProbeImages) -> ProbeResult:
    """Fit a linear probe for the dataset to one half of ``images`` and try it on the other.

    ``features`` (n, F) float are what a model makes of ``images.rows``; ``datasets`` and ``labels`` (N,) are the
    dataset names and class indices of all images.
    """
    names, classes = datasets[images.rows], labels[images.rows]
    recalls = _recalls(features, names, images.fitted)
    from_class = _recalls(np.eye(labels.max() + 1)[classes], names, images.fitted)
    return ProbeResult(
        accuracy=float(np.mean(list(recalls.values()))),
        from_class=float(np.mean(list(from_class.values()))),
        chance=1 / len(recalls),
        datasets=len(recalls),
        images=len(names),
        per_dataset=recalls,
        left_out=images.left_out,
    )


def probe_table(reports: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Return one row of `SCHEMA` per probe, from the metrics.json of each by its trial's name, sorted by name."""
    rows = [
        {
            "trial": trial,
            "architecture": found["model"]["architecture"],
            "rescaling": found["model"]["rescaling"],
            "untrained": found["untrained"]["accuracy"],
            **{name: found["probe"][name] for name in SCHEMA if name in found["probe"]},
        }
        for trial, found in sorted(reports.items())
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _recalls(features: np.ndarray, datasets: np.ndarray, fitted: np.ndarray) -> dict[str, float]:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Ridge has a closed form: no convergence to wait for or to warn of, whatever the features are like.
    model = make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced"))
    model.fit(features[fitted], datasets[fitted])
    found, actual = model.predict(features[~fitted]), datasets[~fitted]
    return {str(name): float((found[actual == name] == name).mean()) for name in np.unique(actual)}
