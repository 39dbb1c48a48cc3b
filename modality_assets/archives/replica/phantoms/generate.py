"""Make the files of one patient; the unit of work of the generator's processes."""

from pathlib import Path

import cv2

from modality_assets.archives.replica.phantoms.acquisition import PhantomDataset
from modality_assets.archives.replica.phantoms.datasets import DATASETS
from modality_assets.archives.replica.phantoms.modules import modality_code, series_uid
from modality_assets.archives.replica.phantoms.series import series_of
from modality_assets.archives.replica.phantoms.storage import truncate, write_capture, write_series

_REVISED_SLICES = 2


def dataset_named(name: str) -> PhantomDataset:
    """Return the dataset ``name``; raise KeyError for one that is not made here."""
    return {dataset.name: dataset for dataset in DATASETS}[name]


def write_patient(name: str, patient: int, folder: Path) -> int:
    """Write all files of one patient below ``folder`` (one folder a series) and return the number of images."""
    cv2.setNumThreads(1)
    dataset = dataset_named(name)
    images = 0
    for series in series_of(dataset, patient):
        target = folder / _folder(series.number, modality_code(series.scan))
        images += write_series(dataset, patient, series, target)
        if series.number == 1 and patient < dataset.captures:
            images += write_capture(dataset, patient, series, folder / "99-capture")
        if series.number == 1 and dataset.truncated is not None and dataset.truncated[0] == patient:
            truncate(sorted(target.iterdir())[dataset.truncated[1]])
    if dataset.revised is not None and dataset.revised[1] == patient:
        number = dataset.revised[2] + 1
        series = next(s for s in series_of(dataset, patient, extra_slices=_REVISED_SLICES) if s.number == number)
        images += write_series(dataset, patient, series, folder / revised_folders(dataset)[2])
    return images


def revised_folders(dataset: PhantomDataset) -> tuple[str, str, str]:
    """Return the UID of the series that comes again, and the folders of its first and its later files."""
    if dataset.revised is None:
        raise ValueError(f"{dataset.name} has no revised series")
    release, patient, chosen = dataset.revised
    number = chosen + 1
    code = modality_code(dataset.scans[0])
    return (
        series_uid(dataset.name, patient, number),
        _folder(number, code),
        f"{_folder(number, code)}-revised-{release}",
    )


def _folder(number: int, code: str) -> str:
    return f"{number:02d}-{code}"
