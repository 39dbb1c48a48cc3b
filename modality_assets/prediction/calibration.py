"""Probabilities that mean what they say, and the joining of two kinds of evidence into one.

Pixels are calibrated by one temperature (Guo et al., 2017). Pixels and intensities are joined by a weighted
product of their probabilities, p ∝ pixels^a · intensities^b, with the two weights fitted on the validate split.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modality_assets.manifest import write_json
from modality_assets.modality import CLASSES, ClassOrderError, check_classes
from modality_assets.prediction.errors import DamagedEvidenceError, UnknownEvidenceError

FILE = "calibration.json"
EVIDENCE = ("both", "pixels", "intensities")
LEVELS = ("image", "series")
_VERSION = 1
_EXPONENTS = ("pixels", "intensities", "joined_pixels", "joined_intensities")
FLOOR = {"pixels": 1e-6, "intensities": 0.001}
"""The least probability that evidence may give a class: nothing is so sure that other evidence cannot outvote it."""


@dataclass(frozen=True)
class Coverage:
    """Below ``threshold`` lies the share 1 − ``coverage`` of validate; of the rest ``accuracy`` is right."""

    coverage: float
    threshold: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Exponents of the probabilities alone (``pixels``, ``intensities``) and joined; thresholds by coverage.

    ``coverage`` maps '<evidence>/<level>' to its curve, the highest coverage first. ``fitted_on`` says on what.
    """

    pixels: float = 1.0
    intensities: float = 1.0
    joined_pixels: float = 1.0
    joined_intensities: float = 1.0
    coverage: dict[str, list[Coverage]] = field(default_factory=dict)
    fitted_on: dict[str, Any] = field(default_factory=dict)

    def calibrated(
        self, evidence: str, pixels: np.ndarray | None, intensities: np.ndarray | None, speaks: np.ndarray | None
    ) -> np.ndarray:
        """Return calibrated probabilities (N, 4) under ``evidence`` ('both', 'pixels' or 'intensities').

        ``pixels`` and ``intensities`` are uncalibrated probabilities (N, 4), ``speaks`` (N,) says which images
        have native intensities; where one has none, its pixels alone decide, if they are given.
        """
        check_evidence(evidence)
        if evidence == "pixels" or intensities is None:
            return power(_given(pixels, "pixels"), self.pixels, FLOOR["pixels"])
        alone = power(intensities, self.intensities, FLOOR["intensities"])
        if pixels is None:
            return alone
        fallback = power(pixels, self.pixels, FLOOR["pixels"])
        if evidence == "both":
            alone = joined(pixels, intensities, self.joined_pixels, self.joined_intensities)
        return np.where(_given(speaks, "speaks")[:, None], alone, fallback)

    def threshold(self, evidence: str, level: str, coverage: float) -> float:
        """Return the confidence below which a class is 'unknown', for at least ``coverage``; 0 where none is known."""
        curve = self.coverage.get(f"{evidence}/{level}", [])
        kept = [point.threshold for point in curve if point.coverage >= coverage - 1e-9]
        return max(kept, default=0.0)

    def save(self, folder: Path) -> None:
        """Write calibration.json into ``folder``."""
        write_json(folder / FILE, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as a JSON object."""
        return {"version": _VERSION, "classes": list(CLASSES), **asdict(self)}

    @classmethod
    def load(cls, folder: Path) -> "Calibration":
        """Read what `save` wrote; raise `DamagedEvidenceError`, or `ClassOrderError` for other classes."""
        path = folder / FILE
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise DamagedEvidenceError(f"{path}: cannot be read ({error}); materialise trained_model again") from None
        return cls.of_json(found, str(path))

    @classmethod
    def of_json(cls, found: dict[str, Any], where: str) -> "Calibration":
        """Take over what `to_json` gave; errors as of `load`."""
        try:
            check_classes(found["classes"], where)
            if found["version"] != _VERSION:
                raise ValueError("written by another version")
            curves = {name: [Coverage(**point) for point in curve] for name, curve in found["coverage"].items()}
            numbers = {name: float(found[name]) for name in _EXPONENTS}
            if not all(np.isfinite(value) and value >= 0 for value in numbers.values()):
                raise ValueError("an exponent is no positive number")
            return cls(coverage=curves, fitted_on=found["fitted_on"], **numbers)
        except ClassOrderError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DamagedEvidenceError(f"{where}: cannot be read ({error}); materialise trained_model again") from None


def check_evidence(evidence: str) -> None:
    """Raise `UnknownEvidenceError` unless ``evidence`` is one of `EVIDENCE`."""
    if evidence not in EVIDENCE:
        raise UnknownEvidenceError(f"unknown evidence {evidence!r}: choose one of {', '.join(EVIDENCE)}")


def logarithms(probabilities: np.ndarray, floor: float) -> np.ndarray:
    """Return log probabilities (N, 4), none below ``floor``."""
    lifted = np.asarray(probabilities, dtype=np.float64) * (1 - floor * len(CLASSES)) + floor
    return np.log(lifted)


def power(probabilities: np.ndarray, exponent: float, floor: float = FLOOR["pixels"]) -> np.ndarray:
    """Return probabilities ∝ p^exponent; an exponent of 1 / T is a temperature of T."""
    return softmax(exponent * logarithms(probabilities, floor))


def joined(pixels: np.ndarray, intensities: np.ndarray, a: float, b: float) -> np.ndarray:
    """Return probabilities ∝ pixels^a · intensities^b."""
    return softmax(a * logarithms(pixels, FLOOR["pixels"]) + b * logarithms(intensities, FLOOR["intensities"]))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (N, 4) float64, rows summing to one."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _given(array: np.ndarray | None, name: str) -> np.ndarray:
    if array is None:
        raise ValueError(f"{name} must be given for this evidence")
    return array
