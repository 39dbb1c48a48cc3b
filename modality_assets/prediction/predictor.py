"""The class of each image in any files, by a trained model: what the command and the dashboard call."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from modality_assets.imaging.decoded import Decoded, SourceFile, decode_dataset, open_decoded
from modality_assets.imaging.rescaling import rescale
from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import check_evidence
from modality_assets.prediction.errors import MissingEvidenceError, ModelNotFoundError, NoSaliencyError
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.inputs import ZIP_LIMITS, Input, Limits, Paths, find_inputs
from modality_assets.prediction.network import ExplainableNetwork, Network
from modality_assets.prediction.prediction import UNKNOWN, Prediction, SeriesVote, by_series, mean_probabilities
from modality_assets.progress import SILENT, Progress

FILES_AT_ONCE = 256
IMAGES_AT_ONCE = 64
COVERAGE = 0.95
"""By default 'unknown' is said of the least certain 5 % of what the validate split holds."""


class Predictor:
    """A model with its evidence, ready for files."""

    def __init__(self, network: Network, evidence: Evidence, *, coverage: float = COVERAGE) -> None:
        """``coverage`` is the share of the validate split for which a class was named rather than 'unknown'."""
        self.network, self.evidence, self.coverage = network, evidence, coverage

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto", coverage: float = COVERAGE) -> "Predictor":
        """Load a model's folder, or a single exported file.

        Raises `ModelNotFoundError` where there is neither, and what loading the model or its evidence raises.
        """
        path = Path(path)
        if path.is_dir():
            from modality_assets.prediction.trained_network import TrainedNetwork

            return cls(TrainedNetwork.load(path, device=device), Evidence.load(path), coverage=coverage)
        if path.is_file():
            from modality_assets.prediction.exported_network import ExportedNetwork

            return cls(*ExportedNetwork.load(path), coverage=coverage)
        raise ModelNotFoundError(
            f"{path}: there is no model; name the folder of a trained model, "
            "such as data/<archive>/models/resnet18/image_range"
        )

    def predict(
        self,
        paths: Paths,
        evidence: str | None = None,
        *,
        workers: int | None = None,
        limits: Limits = ZIP_LIMITS,
        with_pixels: bool = False,
        progress: Progress = SILENT,
    ) -> Iterator[Prediction]:
        """Yield a `Prediction` for every image in files, folders, zips and patterns, in order.

        ``evidence`` is 'both', 'pixels' or 'intensities', by default the most that the model can give; an image
        without native intensities rests on its pixels. A file that cannot be read gives one prediction with an
        error and stops nothing. The Modality tag is never read. Decoding happens in worker processes, so a file
        that crashes a decoder is an error like others. Nothing is written but temporary files. ``limits`` are those
        of zips; ``with_pixels`` keeps each image, as the network saw it, with its prediction.
        Raises `UnknownEvidenceError` and `MissingEvidenceError` before the first file is read.
        """
        kind = self.evidence.kinds[0] if evidence is None else evidence
        check_evidence(kind)
        if kind not in self.evidence.kinds:
            raise MissingEvidenceError(
                f"this model was not fitted for evidence {kind!r}, only for {', '.join(self.evidence.kinds)}"
            )
        return self._predict(paths, kind, workers, limits, with_pixels, progress)

    def vote(self, predictions: Iterable[Prediction]) -> list[SeriesVote]:
        """Return the verdict on each series among ``predictions``: the mean of its images' probabilities."""
        votes = []
        for series, images in by_series(predictions).items():
            probabilities = mean_probabilities(images)
            evidence = Counter(one.evidence for one in images).most_common(1)[0][0] or ""
            first = images[0]
            modality = self._name(probabilities, first.asked or evidence, "series" if len(images) > 1 else "image")
            votes.append(
                SeriesVote(series, first.series_uid, first.path, len(images), modality, probabilities, evidence)
            )
        return votes

    def saliency(self, images: np.ndarray, modalities: Sequence[str]) -> np.ndarray:
        """Return maps (N, H, W) float32 in [0, 1] of what in ``images`` (N, H, W) speaks for each one's modality.

        ``images`` are as the network saw them. Raises `NoSaliencyError` for a model that cannot say.
        """
        if not isinstance(self.network, ExplainableNetwork):
            raise NoSaliencyError("an exported model has no gradients: name the folder of the trained model instead")
        return self.network.saliency(images, [CLASSES.index(name) for name in modalities])

    def _predict(
        self,
        paths: Paths,
        kind: str,
        workers: int | None,
        limits: Limits,
        with_pixels: bool,
        progress: Progress,
    ) -> Iterator[Prediction]:
        with ExitStack() as unpacked, progress.task("Predicting", unit="files") as task:
            inputs = find_inputs(paths, unpacked, limits)
            while chunk := list(islice(inputs, FILES_AT_ONCE)):
                yield from self._predict_files(chunk, kind, workers, with_pixels)
                task.advance(len(chunk))

    def _predict_files(
        self, inputs: Sequence[Input], kind: str, workers: int | None, with_pixels: bool
    ) -> Iterator[Prediction]:
        found = {number: one for number, one in enumerate(inputs) if one.path is not None}
        sources = [
            SourceFile(dataset="", path=one.path, name=f"{number:06d}/{one.path.name}")
            for number, one in found.items()
            if one.path is not None
        ]
        with tempfile.TemporaryDirectory(prefix="modality-") as staged:
            contract = self.network.contract
            decode_dataset(sources, Path(staged), image_size=contract.size, aspect=contract.aspect, workers=workers)
            decoded = open_decoded(Path(staged))
            refused = dict(_numbered(decoded.quarantine).select("input", "reason").rows())
            images = self._predict_images(inputs, decoded, kind, with_pixels)
            following = next(images, None)
            for number, one in enumerate(inputs):
                if one.path is None:
                    yield Prediction(one.shown, error=one.error)
                while following and following[0] == number:
                    yield following[1]
                    following = next(images, None)
                if number in refused:
                    yield Prediction(one.shown, error=refused[number])

    def _predict_images(
        self, inputs: Sequence[Input], decoded: Decoded, kind: str, with_pixels: bool
    ) -> Iterator[tuple[int, Prediction]]:
        """Yield each decoded image's prediction with the number of its input, in the order of inputs and frames."""
        table = _numbered(decoded.images)
        series_uids: dict[int, str | None] = {}
        for start in range(0, len(table), IMAGES_AT_ONCE):
            rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(table)))
            facts = table[rows]
            pixels = rescale(self.network.contract.rescaling, decoded.pixels(rows), facts.to_dict(as_series=False))
            probabilities, used = self.evidence.probabilities(kind, self.network.probabilities(pixels), facts)
            described = facts.select("input", "frame", "format").rows()
            kept = pixels.astype(np.float32, copy=False) if with_pixels else [None] * len(rows)
            for (number, frame, kept_as), row, evidence, image in zip(
                described, probabilities.tolist(), used, kept, strict=True
            ):
                one = inputs[number]
                if number not in series_uids:
                    series_uids[number] = series_uid_of(one.path) if one.path and kept_as == "DICOM" else None
                by_class = dict(zip(CLASSES, row, strict=True))
                modality = self._name(by_class, kind, "image")
                yield (
                    number,
                    Prediction(
                        one.shown, series_uids[number], frame, modality, by_class, evidence, pixels=image, asked=kind
                    ),
                )

    def _name(self, probabilities: dict[str, float], asked: str, level: str) -> str:
        """Return the likeliest class, or 'unknown' below the confidence that keeps ``coverage`` of validate.

        It is that of the evidence asked for: its curve is of all of validate, images that have only pixels included.
        """
        likeliest = max(probabilities, key=lambda name: probabilities[name])
        threshold = self.evidence.calibration.threshold(asked, level, self.coverage)
        return likeliest if probabilities[likeliest] >= threshold else UNKNOWN


def series_uid_of(path: Path) -> str | None:
    """Return the SeriesInstanceUID (0020,000E) of a DICOM file, None where it has none that can be read."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SeriesInstanceUID"])
        return str(header.get("SeriesInstanceUID") or "") or None
    except Exception:  # a damaged header has no usable UID; its pixels were readable, and that is what counts here
        return None


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    """Add the number of the input that each row's file was."""
    return table.with_columns(input=pl.col("source_file").str.slice(0, 6).cast(pl.Int64))
