"""What a stranger uploads: put where nothing of its name counts, looked at, and gone."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from modality_assets.prediction.prediction import Prediction
from modality_assets.prediction.predictor import Predictor

MOST_BYTES = 200 << 20
MOST_FILES = 50
_LONGEST_ENDING = 9


class Upload(Protocol):
    """A file in memory, as Streamlit gives it."""

    name: str
    size: int

    def getbuffer(self) -> memoryview:
        """Its bytes."""


class TooMuchError(Exception):
    """More files or bytes than one person may upload at once."""


def predict_uploads(predictor: Predictor, uploads: Sequence[Upload]) -> list[Prediction]:
    """Predict every image in ``uploads``, named as the person named them; nothing is left on the disk.

    A file that is refused is a prediction with an error. Raises `TooMuchError` above `MOST_FILES` or `MOST_BYTES`.
    """
    if len(uploads) > MOST_FILES or sum(upload.size for upload in uploads) > MOST_BYTES:
        raise TooMuchError(
            f"That is more than {MOST_FILES} files or {MOST_BYTES >> 20} MB: choose fewer, or use `modality predict`."
        )
    with tempfile.TemporaryDirectory(prefix="modality-upload-") as folder:
        named = {}
        for number, upload in enumerate(uploads):
            path = Path(folder, f"{number:03d}" + _plain_endings(upload.name))
            path.write_bytes(upload.getbuffer())
            named[str(path)] = upload.name
        found = list(predictor.predict(list(named), workers=1))
    return [_renamed(one, named) for one in found]


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
