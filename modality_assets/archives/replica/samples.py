"""The dataset of real images: the readable CT, MR and CR files that pydicom ships for its own tests."""

import shutil
import warnings
from pathlib import Path

import pydicom
import pydicom.data

DATASET = "pydicom-samples"
TITLE = "Sample files of pydicom (real images)"
_MODALITIES = ("CT", "MR", "CR")


def sample_files() -> list[Path]:
    """Return the files in pydicom's package that are CT, MR or CR images and can be decoded, each image once.

    pydicom holds one image in several transfer syntaxes under one SOPInstanceUID; an archive holds an
    instance once, so the first by name stands for all of them.
    """
    folder = Path(pydicom.data.__file__).parent / "test_files"
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            uid = _readable_uid(path)
            if uid is not None:
                found.setdefault(uid, path)
    return sorted(found.values())


def copy_samples(target: Path) -> int:
    """Copy the sample files below ``target`` as they are, and return how many there are."""
    folder = Path(pydicom.data.__file__).parent / "test_files"
    files = sample_files()
    for path in files:
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return len(files)


def _readable_uid(path: Path) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many of these files are odd on purpose
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("Modality") not in _MODALITIES or "PixelData" not in dataset:
                return None
            dataset.pixel_array  # noqa: B018 - read to learn whether it can be
        except Exception:  # whatever reading or decoding stumbles over
            return None
    return str(dataset.SOPInstanceUID)
