"""What is said of one image, and of a series of images."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNKNOWN = "unknown"
"""Said in place of a class where the most likely one is less likely than the threshold."""


@dataclass(frozen=True)
class Prediction:
    """One image, or one file that gave none.

    ``modality`` is a class or `UNKNOWN`, ``probabilities`` calibrated and by class, ``evidence`` what they rest
    on ('both', 'pixels', 'intensities'). Where ``error`` says why there is no image, these are None, and so is
    ``frame``, the number of the frame or slice from 0. ``series_uid`` is None in formats that have none. ``pixels``
    (H, W) float32 in [0, 1], where asked for, are the image as the network saw it. ``asked`` is the evidence that
    was asked for, to which the confidence belongs that a class needs.
    """

    path: str
    series_uid: str | None = None
    frame: int | None = None
    modality: str | None = None
    probabilities: dict[str, float] | None = None
    evidence: str | None = None
    error: str | None = None
    pixels: np.ndarray | None = field(default=None, compare=False, repr=False)
    asked: str | None = field(default=None, compare=False)

    @property
    def confidence(self) -> float:
        """The probability of the most likely class; 0 for an error."""
        return max(self.probabilities.values()) if self.probabilities else 0.0

    @property
    def series(self) -> str:
        """What identifies the series: its UID, or the file for formats without one (a volume is one series)."""
        return self.series_uid or self.path

    def record(self) -> dict[str, Any]:
        """Return the JSON object of ``modality predict --json``: path and error, or everything but the error.

        ``series`` groups images whatever their format; ``series_uid`` is the DICOM UID alone.
        """
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        return {
            "path": self.path,
            "series": self.series,
            "series_uid": self.series_uid,
            "frame": self.frame,
            "modality": self.modality,
            "probabilities": self.probabilities,
            "evidence": self.evidence,
        }

    def json(self) -> str:
        """Return `record` as one line."""
        return json.dumps(self.record(), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class SeriesVote:
    """The verdict on a series: its images' mean probabilities; ``evidence`` is what most of them rest on."""

    series: str
    series_uid: str | None
    path: str  # of its first image
    images: int
    modality: str
    probabilities: dict[str, float]
    evidence: str


def mean_probabilities(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Return the mean probability of each class over ``predictions`` that have some."""
    found = [one.probabilities for one in predictions if one.probabilities]
    return {name: sum(one[name] for one in found) / len(found) for name in found[0]} if found else {}


def by_series(predictions: Iterable[Prediction]) -> dict[str, list[Prediction]]:
    """Return the predictions without error by series, in the order of first appearance."""
    groups: dict[str, list[Prediction]] = {}
    for one in predictions:
        if one.error is None:
            groups.setdefault(one.series, []).append(one)
    return groups
