"""What prediction asks of a network, whatever runs it: torch, or a runtime of exported models."""

from dataclasses import dataclass
from typing import Protocol

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
