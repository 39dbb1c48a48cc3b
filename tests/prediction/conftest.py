"""Images of known intensities as files, tables of such images, and a network whose verdict is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import Calibration
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.intensities import IntensityModel
from modality_assets.prediction.intensity_fitting import fit_intensities
from modality_assets.prediction.network import InputContract
from modality_assets.prediction.predictor import Predictor

SIZE = 16


class BrightNetwork:
    """Takes bright images for radiographs, dark ones for PT; as sure as the mean is far from the middle."""

    contract = InputContract(SIZE, "stretch", "image_range")

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[1:] == (SIZE, SIZE)
        assert images.dtype == np.float32
        self.seen.append(images)
        bright = images.mean(axis=(1, 2))
        return np.stack([0 * bright + 0.05, 0 * bright + 0.05, 0.9 * (1 - bright), 0.9 * bright], axis=1)


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(BrightNetwork(), Evidence(Calibration(), None))


@pytest.fixture
def dicom_file() -> Callable[..., Path]:
    """Write one CT slice; ``bright`` is the share of pixels at the maximum."""

    def write(path: Path, bright: float = 0.9, *, series_uid: str | None = None, modality: str | None = "CT") -> Path:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
        dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        if modality is not None:
            dataset.Modality = modality
        dataset.SeriesInstanceUID = series_uid or generate_uid(entropy_srcs=[str(path.parent)])
        pixels = np.zeros((20, 20), np.int16)
        pixels.ravel()[: round(bright * 400)] = 1000
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1000"
        dataset.PixelData = pixels.tobytes()
        pydicom.dcmwrite(path, dataset)
        return path

    return write


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write one 8-bit PNG."""

    def write(path: Path, bright: float = 0.9) -> Path:
        pixels = np.zeros((20, 20), np.uint8)
        pixels.ravel()[: round(bright * 400)] = 255
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def intensity_model(image_rows) -> IntensityModel:
    """An intensity model fitted to `image_rows`, made once, as it is never changed."""
    return fit_intensities(image_rows())


@pytest.fixture(scope="session")
def image_rows() -> Callable[..., pl.DataFrame]:
    """Rows of tables of decoded images with intensities typical of each class, drawn at random."""

    def make(
        per_class: int = 30, *, seed: int = 0, datasets: int = 3, classes: tuple[str, ...] = CLASSES
    ) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        rows = []
        for name in classes:
            for i in range(per_class):
                low, high, mean, std = {
                    "CT": (-1024 + rng.normal(0, 5), rng.uniform(1000, 3000), rng.uniform(-800, -400), 450),
                    "MR": (0, rng.uniform(500, 2000), 150, 180),
                    "PT": (0, 20_000, 100, rng.uniform(300, 600)),
                    "XR": (rng.uniform(100, 300), 4095, rng.uniform(1500, 2500), 700),
                }[name]
                rows.append(
                    {
                        "dataset": f"{name}-{i % datasets}",
                        "modality": name,
                        "series_uid": f"{name}.{i // 5}",
                        "source_file": f"{name}.{i // 5}/{i}",
                        "frame": 0,
                        "bits_stored": 16,
                        "native_min": float(low),
                        "native_max": float(high),
                        "native_mean": float(mean),
                        "native_std": float(std),
                        "native_p01": float(low + 0.01 * (mean - low)),
                        "native_p99": float(mean + 2.3 * std),
                    }
                )
        return pl.DataFrame(rows)

    return make
