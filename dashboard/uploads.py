"""What a stranger uploads: put where nothing of its name counts, looked at, and gone."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import NoSaliencyError
from modality_assets.prediction.inputs import Limits
from modality_assets.prediction.prediction import Prediction, SeriesVote
from modality_assets.prediction.predictor import Predictor

MOST_BYTES = 200 << 20
MOST_FILES = 50
MOST_IMAGES = 1_000
"""Images that one visitor may have looked at at once: a long series, and seconds rather than minutes for the next."""

ZIP_LIMITS = Limits(members=2_000, total_bytes=2 << 30, ratio=100, free_bytes=64 << 20)
_MOST_PICTURES = 20
_LONGEST_ENDING = 9


class Upload(Protocol):
    """A file in memory, as Streamlit gives it."""

    name: str
    size: int

    def getbuffer(self) -> memoryview:
        """Its bytes."""


class TooMuchError(Exception):
    """More files or bytes than one person may upload at once."""


@dataclass(frozen=True)
class Answer:
    """What is said of one upload; ``pictures`` are image and saliency (H, W) of the first series, by series."""

    images: list[Prediction]
    refused: list[Prediction]
    votes: list[SeriesVote]
    cut_off: bool
    pictures: dict[str, tuple[np.ndarray, np.ndarray | None]] = field(default_factory=dict, compare=False)

    @staticmethod
    def likeliest(vote: SeriesVote) -> str:
        """The most likely class of a series, also where the model is not sure enough to name it."""
        return max(CLASSES, key=lambda name: vote.probabilities[name])


def answer_uploads(predictor: Predictor, uploads: Sequence[Upload]) -> Answer:
    """Predict the images in ``uploads``, vote on their series, and say what speaks for the classes of the first ones.

    Raises `TooMuchError` as `predict_uploads` does.
    """
    images: list[Prediction] = []
    refused: list[Prediction] = []
    shown: dict[str, Prediction] = {}
    cut_off = False
    for one in predict_uploads(predictor, uploads):
        if one.error is not None:
            refused.append(one)
        elif len(images) == MOST_IMAGES:
            cut_off = True
            break
        else:
            if len(shown) < _MOST_PICTURES:
                shown.setdefault(one.series, one)
            images.append(replace(one, pixels=None))
    votes = predictor.vote(images)
    return Answer(images, refused, votes, cut_off, _pictures(predictor, votes, shown))


def predict_uploads(predictor: Predictor, uploads: Sequence[Upload]) -> Iterator[Prediction]:
    """Yield a prediction for every image in ``uploads``, named as the person named them; nothing stays on the disk.

    A file that is refused is a prediction with an error. Raises `TooMuchError` above `MOST_FILES` or `MOST_BYTES`.
    """
    if len(uploads) > MOST_FILES or sum(upload.size for upload in uploads) > MOST_BYTES:
        raise TooMuchError(
            f"That is more than {MOST_FILES} files or {MOST_BYTES >> 20} MB: choose fewer, or use `modality predict`"
        )
    return _predict(predictor, uploads)


def _predict(predictor: Predictor, uploads: Sequence[Upload]) -> Iterator[Prediction]:
    with tempfile.TemporaryDirectory(prefix="modality-upload-") as folder:
        named = {}
        for number, upload in enumerate(uploads):
            path = Path(folder, f"{number:03d}" + _plain_endings(upload.name))
            path.write_bytes(upload.getbuffer())
            named[str(path)] = upload.name
        for one in predictor.predict(list(named), workers=1, limits=ZIP_LIMITS, with_pixels=True):
            yield _renamed(one, named)


def _pictures(
    predictor: Predictor, votes: Sequence[SeriesVote], shown: dict[str, Prediction]
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    pictures: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    for vote in votes:
        first = shown.get(vote.series)
        if first is not None and first.pixels is not None:
            try:
                (saliency,) = predictor.saliency(first.pixels[None], [Answer.likeliest(vote)])
            except NoSaliencyError:
                saliency = None
            pictures[vote.series] = (first.pixels, saliency)
    return pictures


def _plain_endings(name: str) -> str:
    """The last two endings of a name from outside ('.nii.gz'), those that are plain; nothing else of it is used."""
    endings = Path(name).suffixes[-2:]
    plain = [one for one in endings if one[1:].isalnum() and one.isascii() and len(one) <= _LONGEST_ENDING]
    return "".join(plain)


def _renamed(one: Prediction, named: dict[str, str]) -> Prediction:
    for path, name in named.items():
        if one.path == path or one.path.startswith(path + "/"):
            shown = name + one.path[len(path) :]
            error = one.error and one.error.replace(path, name).replace(Path(path).name, name)
            return replace(one, path=shown, error=error)
    return one
