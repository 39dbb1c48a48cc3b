"""Everything beside the network that a model's folder holds for prediction: fitted once, loaded with it."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from modality_assets.prediction import calibration, intensities
from modality_assets.prediction.calibration import Calibration
from modality_assets.prediction.calibration_fitting import fit_calibration
from modality_assets.prediction.errors import DamagedEvidenceError, MissingEvidenceError, NothingToFitError
from modality_assets.prediction.intensities import IntensityModel, has_native_intensities
from modality_assets.prediction.intensity_fitting import fit_intensities

FILES = (calibration.FILE, intensities.FILE)
"""What `fit_evidence` may write beside a model; the second only where intensities could be fitted."""


@dataclass(frozen=True)
class Evidence:
    """A calibration, and the intensity model where there is one."""

    calibration: Calibration
    intensities: IntensityModel | None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of evidence that this model can give, the default one first."""
        return ("pixels",) if self.intensities is None else ("both", "pixels", "intensities")

    def probabilities(self, kind: str, pixels: np.ndarray | None, images: pl.DataFrame) -> tuple[np.ndarray, list[str]]:
        """Return calibrated probabilities (N, 4) and, per image, the evidence that they rest on.

        ``pixels`` (N, 4) are the network's probabilities, ``images`` (N rows) have the columns
        `intensities.STATISTICS` and bits_stored. An image without native intensities rests on its pixels.
        Raises `MissingEvidenceError` for intensities that this model was not fitted for.
        """
        calibration.check_evidence(kind)
        if kind == "pixels":
            return self.calibration.calibrated("pixels", pixels, None, None), ["pixels"] * len(images)
        if self.intensities is None:
            raise MissingEvidenceError(
                f"this model was not fitted for evidence {kind!r}: ask for 'pixels', or materialise trained_model again"
            )
        speaks = has_native_intensities(images)
        found = self.calibration.calibrated(kind, pixels, self.intensities.probabilities(images), speaks)
        return found, [kind if one else "pixels" for one in speaks]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object, for an exported file."""
        return {
            "calibration": self.calibration.to_json(),
            "intensities": None if self.intensities is None else b64encode(self.intensities.to_bytes()).decode(),
        }

    @classmethod
    def of_json(cls, found: dict[str, Any], where: str) -> "Evidence":
        """Take over what `to_json` gave; raise `DamagedEvidenceError`."""
        try:
            calibration, encoded = found["calibration"], found["intensities"]
            content = None if encoded is None else b64decode(encoded, validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedEvidenceError(f"{where}: holds no evidence ({error!r}); export the model again") from None
        intensities = None if content is None else IntensityModel.of_bytes(content, where)
        return cls(Calibration.of_json(calibration, where), intensities)

    @classmethod
    def load(cls, folder: Path) -> "Evidence":
        """Load what `fit_evidence` wrote into a model's folder; a folder without it gives uncalibrated pixels alone.

        Raises `DamagedEvidenceError` for files that are there and cannot be read.
        """
        fitted = (folder / calibration.FILE).exists()
        found = Calibration.load(folder) if fitted else Calibration()
        return cls(found, IntensityModel.load(folder) if fitted and (folder / intensities.FILE).exists() else None)


def fit_evidence(
    staged: Path,
    *,
    train_images: pl.DataFrame,
    validate_images: pl.DataFrame,
    validate_labels: np.ndarray,
    validate_pixels: np.ndarray,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit intensities to train and the calibration to validate, and write both into the model's folder ``staged``.

    ``train_images`` and ``validate_images`` are rows of the tables of decoded images; ``validate_pixels`` (N, 4)
    and ``validate_labels`` (N,) belong to ``validate_images`` row by row. Returns what was fitted, for metadata:
    the exponents, the images and datasets calibrated on, and thresholds by coverage of the default evidence.
    Where train has native intensities of fewer than two classes, pixels are calibrated alone.
    Raises `NothingToFitError` for no validate images.
    """
    model: IntensityModel | None
    try:
        model = fit_intensities(train_images, seed=seed)
    except NothingToFitError:
        model = None
    else:
        model.save(staged)
    found = fit_calibration(
        validate_pixels,
        validate_labels,
        validate_images,
        intensities=None if model is None else model.probabilities(validate_images),
        speaks=None if model is None else has_native_intensities(validate_images),
    )
    found.save(staged)
    kind = "pixels" if model is None else "both"
    return {
        "evidence": list(Evidence(found, model).kinds),
        "pixels_temperature": 1 / found.pixels,
        "joined_pixels": found.joined_pixels,
        "joined_intensities": found.joined_intensities,
        "unknown_below": {f"{point.coverage:.0%}": point.threshold for point in found.coverage[f"{kind}/image"]},
        **{f"calibrated_on_{name}": value for name, value in found.fitted_on.items()},
    }
