"""The second kind of evidence: what six numbers of an image's native intensities say of its class.

Rescaling to an image's own range throws away that air is at −1024 HU. A small forest on the statistics that
decoding keeps brings it back. It sees no header field and no unit, for units such as BQML restate the class.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load, save

from modality_assets.modality import CLASSES, ClassOrderError, check_classes
from modality_assets.prediction.errors import DamagedEvidenceError
from modality_assets.prediction.forest import Forest

FILE = "intensities.safetensors"
STATISTICS = ("native_min", "native_max", "native_mean", "native_std", "native_p01", "native_p99")
"""The columns of a table of decoded images that the evidence rests on."""

FEATURES = 12
_LEAST_SHARE = 0.002  # of a hundred trees none may have heard of a class
_VERSION = "1"


def has_native_intensities(images: pl.DataFrame) -> np.ndarray:
    """Return (N,) bool: whether each image was stored with more than display values, that is more than 8 bits."""
    wide = (pl.col("bits_stored") > 8).fill_null(False)
    known = pl.all_horizontal(pl.col(STATISTICS).is_finite().fill_null(False))
    return images.select(wide & known).to_series().to_numpy()


def features(statistics: np.ndarray) -> np.ndarray:
    """Return (N, 12) features of the `STATISTICS` (N, 6) of images, in native units.

    The statistics themselves on a logarithmic scale, for what has absolute units, and six ratios of them,
    which no scaling of an image changes, for what has none.
    """
    low, high, mean, std, p01, p99 = np.asarray(statistics, dtype=np.float64).T
    reach = np.where(high > low, high - low, 1.0)
    middle = np.where(p99 > p01, p99 - p01, reach)
    absolute = [np.sign(x) * np.log1p(np.abs(x)) for x in (low, p01, mean, p99, high, std)]
    relative = [(mean - low) / reach, std / reach, (p99 - low) / reach, (p01 - low) / reach]
    return np.stack([*absolute, *relative, (mean - p01) / middle, std / middle], axis=1)


def all_classes(shares: np.ndarray, seen: Sequence[str]) -> np.ndarray:
    """Return (N, 4) from ``shares`` (N, C) of the classes ``seen``; a class not seen has none."""
    found = np.zeros((len(shares), len(CLASSES)))
    found[:, [CLASSES.index(name) for name in seen]] = shares
    return found


def sharpened(shares: np.ndarray, ct: float, rest: float) -> np.ndarray:
    """Return (N, 4): the odds of CT against the rest raised to ``ct``, the shares among the rest to ``rest``."""
    lifted = shares * (1 - len(CLASSES) * _LEAST_SHARE) + _LEAST_SHARE
    own = CLASSES.index("CT")
    odds = (lifted[:, own] / (1 - lifted[:, own])) ** ct
    found = lifted**rest
    found[:, own] = 0
    found *= (1 / (1 + odds) / found.sum(axis=1))[:, None]
    found[:, own] = odds / (1 + odds)
    return found


@dataclass(frozen=True)
class IntensityModel:
    """Class shares from native intensities; ``seen`` are the classes that it was fitted on.

    Only CT has absolute units, so what the forest says of CT against the rest is far surer than what it says
    among the rest: ``ct`` and ``rest`` are the exponents of the two, fitted to datasets left out in turn.
    """

    forest: Forest
    seen: tuple[str, ...]
    ct: float = 1.0
    rest: float = 1.0

    def probabilities(self, images: pl.DataFrame) -> np.ndarray:
        """Return (N, 4) float64 class probabilities from the `STATISTICS` of ``images``.

        Where an image has no native intensities all classes are equally likely, and a class that was not
        seen in fitting gets its even share, for nothing is known of it.
        """
        found = np.full((len(images), len(CLASSES)), 1 / len(CLASSES))
        speaks = has_native_intensities(images)
        if speaks.any():
            statistics = images.filter(pl.Series(speaks)).select(pl.col(STATISTICS).cast(pl.Float64)).to_numpy()
            shares = self.forest.shares(features(statistics))
            known = np.array([CLASSES.index(name) for name in self.seen])
            sharp = sharpened(all_classes(shares, self.seen), self.ct, self.rest)[:, known]
            sharp *= len(known) / len(CLASSES) / sharp.sum(axis=1, keepdims=True)
            found[np.ix_(np.flatnonzero(speaks), known)] = sharp
        return found

    def to_bytes(self) -> bytes:
        """Return the model as the bytes of a safetensors file."""
        described = {"version": _VERSION, "classes": CLASSES, "seen": self.seen, "ct": self.ct, "rest": self.rest}
        # One entry: safetensors writes several in an order of chance, and equal models would not be equal files.
        return save(self.forest.tensors(), metadata={"model": json.dumps(described)})

    def save(self, folder: Path) -> None:
        """Write intensities.safetensors into ``folder``."""
        (folder / FILE).write_bytes(self.to_bytes())

    @classmethod
    def of_bytes(cls, content: bytes, where: str) -> "IntensityModel":
        """Take over what `to_bytes` gave; raise `DamagedEvidenceError`, or `ClassOrderError` for other classes."""
        try:
            length = int.from_bytes(content[:8], "little")
            described = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["model"])
            check_classes(described["classes"], where)
            seen = tuple(described["seen"])
            forest = Forest.of_tensors(load(content), FEATURES)
            if described["version"] != _VERSION or not set(seen) <= set(CLASSES) or forest.value.shape[2] != len(seen):
                raise ValueError("written by another version")
            exponents = float(described["ct"]), float(described["rest"])
            if not all(np.isfinite(value) and value >= 0 for value in exponents):
                raise ValueError("an exponent is no positive number")
        except ClassOrderError:
            raise
        except (KeyError, TypeError, IndexError, ValueError, SafetensorError) as error:
            raise DamagedEvidenceError(f"{where}: cannot be read ({error}); materialise trained_model again") from None
        return cls(forest, seen, *exponents)

    @classmethod
    def load(cls, folder: Path) -> "IntensityModel":
        """Read what `save` wrote; errors as of `of_bytes`."""
        path = folder / FILE
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedEvidenceError(f"{path}: cannot be read ({error}); materialise trained_model again") from None
        return cls.of_bytes(content, str(path))
