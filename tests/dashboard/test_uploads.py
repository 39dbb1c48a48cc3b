"""Uploads: strange names, strange contents, too much, and nothing left behind."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.uploads import MOST_BYTES, MOST_FILES, TooMuchError, predict_uploads
from modality_assets.prediction.calibration import Calibration
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.network import InputContract
from modality_assets.prediction.predictor import Predictor


class EvenNetwork:
    """Is sure of nothing."""

    contract = InputContract(16, "stretch", "image_range")

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return np.full((len(images), 4), 0.25, np.float32)


class InMemory:
    def __init__(self, name: str, content: bytes, size: int | None = None) -> None:
        self.name, self.content, self.size = name, content, len(content) if size is None else size

    def getbuffer(self) -> memoryview:
        return memoryview(self.content)


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(EvenNetwork(), Evidence(Calibration(), None))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def png() -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(written, "PNG")
    return written.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize("name", ["../../etc/cron.d/x.png", "/abs.png", "a\x00b.png", "…/ü .png", "x" * 4000, ".."])
def test_a_name_from_outside_decides_no_path(name: str, predictor: Predictor, temporary: Path) -> None:
    (found,) = predict_uploads(predictor, [InMemory(name, png())])
    assert found.error is None
    assert found.path == name
    assert list(temporary.iterdir()) == [], "nothing that is uploaded is kept"


def test_what_is_no_image_is_refused_by_its_own_name(predictor: Predictor, temporary: Path) -> None:
    good, bad = predict_uploads(predictor, [InMemory("good.png", png()), InMemory("notes.txt", b"no image\n")])
    assert good.error is None
    assert bad.path == "notes.txt"
    assert bad.error is not None
    assert "notes.txt" in bad.error
    assert str(temporary) not in bad.error


def test_the_members_of_a_zip_are_predicted_under_its_name(predictor: Predictor, temporary: Path) -> None:
    (found,) = predict_uploads(predictor, [InMemory("scans.zip", zipped({"one.png": png()}))])
    assert found.error is None
    assert found.path == "scans.zip/one.png"
    assert list(temporary.iterdir()) == []


def test_a_zip_that_climbs_out_of_its_folder_is_refused(predictor: Predictor, temporary: Path) -> None:
    found = predict_uploads(predictor, [InMemory("evil.zip", zipped({"../../out.png": png()}))])
    assert [one.error is not None for one in found] == [True]
    assert list(temporary.iterdir()) == []


def test_too_many_files_and_too_many_bytes_are_refused_before_any_is_written(
    predictor: Predictor, temporary: Path
) -> None:
    with pytest.raises(TooMuchError, match="more than"):
        predict_uploads(predictor, [InMemory("x.png", b"")] * (MOST_FILES + 1))
    with pytest.raises(TooMuchError, match="MB"):
        predict_uploads(predictor, [InMemory("x.png", b"", size=MOST_BYTES + 1)])
    assert list(temporary.iterdir()) == []
