"""What prediction asks of a network, whatever runs it: torch, or a runtime of exported models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class InputContract:
    """What a network expects of an image: pixels per side, how its proportions are kept, which rescaling."""

    size: int
    aspect: str
    rescaling: str


class Network(Protocol):
    """A trained network, whatever runs it."""

    contract: InputContract

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return (N, 4) probabilities, rows summing to one, of rescaled ``images`` (N, H, W) float32."""


@runtime_checkable
class ExplainableNetwork(Network, Protocol):
    """A network that can say where in an image it found what speaks for a class."""

    def saliency(self, images: np.ndarray, classes: Sequence[int]) -> np.ndarray:
        """Return maps (N, H, W) float32 in [0, 1] of what in ``images`` (N, H, W) speaks for ``classes``."""
