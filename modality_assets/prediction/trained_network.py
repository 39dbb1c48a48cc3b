"""A model's folder as a network for prediction; the only module of this room that imports torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modality_assets.learning.inference import LoadedModel, load_model
from modality_assets.learning.saliency import grad_cam
from modality_assets.prediction.network import InputContract


class TrainedNetwork:
    """The network of a trained model's folder, run by torch."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.contract = InputContract(
            model.contract.height, model.config.get("aspect", "stretch"), model.contract.rescaling
        )

    @classmethod
    def load(cls, folder: Path, *, device: str = "auto") -> "TrainedNetwork":
        """Load the model in ``folder``; raises what `learning.inference.load_model` raises."""
        return cls(load_model(folder, device=device))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return (N, 4) float32 probabilities of rescaled ``images`` (N, H, W) float32."""
        return self.model.probabilities(images)

    def saliency(self, images: np.ndarray, classes: Sequence[int]) -> np.ndarray:
        """Return Grad-CAM maps (N, H, W) float32 in [0, 1], as `learning.saliency.grad_cam` does."""
        return grad_cam(self.model, images, classes)
