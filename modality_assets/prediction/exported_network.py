"""A model as one exported file: written with everything that prediction needs, run by onnxruntime without torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modality_assets.modality import check_classes
from modality_assets.prediction.calibration import softmax
from modality_assets.prediction.errors import DamagedExportError
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.network import InputContract

_KEY = "modality_assets"  # of the ONNX metadata; the same as learning.export.METADATA_KEY, which needs torch


def export_model(folder: Path, file: Path, *, licences: Sequence[str] | None = None) -> None:
    """Write the model in ``folder`` as one ONNX ``file``: weights, classes, input contract, calibration, intensities.

    ``licences`` are those of the training data, by default as the model's configuration names them; they go into
    the file, for whoever is handed it alone.
    Raises what loading the model or its evidence raises.
    """
    from modality_assets.learning.export import export_onnx
    from modality_assets.learning.inference import load_model

    model = load_model(folder, device="cpu")
    known = model.config.get("licences", []) if licences is None else licences
    extra = {"evidence": Evidence.load(folder).to_json(), "licences_of_training_data": sorted(set(known))}
    export_onnx(model, file, extra)


class ExportedNetwork:
    """The network of an exported file, run on the CPU by onnxruntime."""

    def __init__(self, session: Any, contract: InputContract, described: dict[str, Any]) -> None:
        self.session, self.contract, self.described = session, contract, described

    @classmethod
    def load(cls, file: Path) -> tuple["ExportedNetwork", Evidence]:
        """Load the network and the evidence in ``file``.

        Raises `DamagedExportError` for a file that `export_model` did not write, and `ClassOrderError` for one of
        other classes.
        """
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        try:
            session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
            described = json.loads(session.get_modelmeta().custom_metadata_map[_KEY])
            classes, expects = described["classes"], described["input"]
            aspect = described["training"].get("aspect", "stretch")
            contract = InputContract(int(expects["height"]), aspect, expects["rescaling"])
        except Exception as error:  # onnxruntime's errors share no base of their own
            raise DamagedExportError(
                f"{file}: no model that `modality export` wrote ({type(error).__name__}: {str(error)[:200]}); "
                "export it again"
            ) from None
        check_classes(classes, file)
        return cls(session, contract, described), Evidence.of_json(described.get("evidence", {}), str(file))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return (N, 4) float64 probabilities of rescaled ``images`` (N, H, W) float32."""
        (logits,) = self.session.run(["logits"], {"images": np.ascontiguousarray(images[:, None], dtype=np.float32)})
        return softmax(logits.astype(np.float64))
