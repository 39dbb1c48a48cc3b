"""How much of what a model sees is the dataset: a linear probe of its features.

A model may know a class by the scanner, the crop or the file format of the datasets that hold it. If a
straight line through its features names an image's dataset far better than the image's class alone would,
such shortcuts are there to be taken. See Alain & Bengio, "Understanding intermediate layers using linear
classifier probes" (2016).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from modality_assets.evaluation.errors import TooFewImagesError

_MOST_IMAGES_PER_DATASET = 500


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


def probe_datasets(
    features: np.ndarray,
    datasets: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    series: np.ndarray,
    *,
    seed: int = 0,
) -> ProbeResult:
    """Fit a linear probe for the dataset to one half of each dataset's patients and try it on the other.

    ``features`` (N, F) float are what a model makes of images, ``datasets``, ``patients`` and ``series`` (N,)
    their names, ``labels`` (N,) their class indices. A dataset of one patient is halved by series; of one series,
    it is left out, since its neighbouring slices would answer for each other. At most 500 images per dataset
    are used. Raises `TooFewImagesError` where fewer than two datasets remain.
    """
    rng = np.random.default_rng(seed)
    fit: list[np.ndarray] = []
    test: list[np.ndarray] = []
    left_out: list[str] = []
    for name in np.unique(datasets):
        rows = np.flatnonzero(datasets == name)
        by = next((names[rows] for names in (patients, series) if len(np.unique(names[rows])) > 1), None)
        if by is None:
            left_out.append(str(name))
            continue
        units = rng.permutation(np.unique(by))
        first = np.isin(by, units[: (len(units) + 1) // 2])
        for half, chosen in ((fit, rows[first]), (test, rows[~first])):
            half.append(rng.permutation(chosen)[:_MOST_IMAGES_PER_DATASET])
    if len(fit) < 2:
        raise TooFewImagesError(
            f"the probe needs two datasets of several series each: {len(fit)} of {len(fit) + len(left_out)} have them"
        )
    fitted, tried = np.concatenate(fit), np.concatenate(test)
    recalls = _recalls(features, datasets, fitted, tried)
    from_class = _recalls(np.eye(labels.max() + 1)[labels], datasets, fitted, tried)
    return ProbeResult(
        accuracy=float(np.mean(list(recalls.values()))),
        from_class=float(np.mean(list(from_class.values()))),
        chance=1 / len(fit),
        datasets=len(fit),
        images=len(fitted) + len(tried),
        per_dataset=recalls,
        left_out=left_out,
    )


def _recalls(features: np.ndarray, datasets: np.ndarray, fitted: np.ndarray, tried: np.ndarray) -> dict[str, float]:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Ridge has a closed form: no convergence to wait for or to warn of, whatever the features are like.
    model = make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced"))
    model.fit(features[fitted], datasets[fitted])
    found, actual = model.predict(features[tried]), datasets[tried]
    return {str(name): float((found[actual == name] == name).mean()) for name in np.unique(actual)}
