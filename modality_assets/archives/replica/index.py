"""What a folder of DICOM holds: one record per series, from the headers, each file read once."""

import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from modality_assets.archives.replica.releases import (
    FILES_FOLDER,
    DatasetRelease,
    Releases,
    current_release,
    read_releases,
)
from modality_assets.manifest import write_json

_LOG = logging.getLogger(__name__)
_CACHE = ".headers.json"
_LOOK_SECONDS = 2.0
"""How often the folder is looked through for files that came or went; the release is read every time."""
# Field of `getSeries` to DICOM keyword.
_FIELDS = {
    "PatientID": "PatientID",
    "StudyInstanceUID": "StudyInstanceUID",
    "SeriesInstanceUID": "SeriesInstanceUID",
    "Modality": "Modality",
    "ProtocolName": "ProtocolName",
    "SeriesDate": "SeriesDate",
    "SeriesDescription": "SeriesDescription",
    "SeriesNumber": "SeriesNumber",
    "BodyPartExamined": "BodyPartExamined",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturerModelName",
    "SoftwareVersions": "SoftwareVersions",
    "StudyDate": "StudyDate",
    "StudyDesc": "StudyDescription",
    "PatientName": "PatientName",
    "PatientSex": "PatientSex",
    "PatientAge": "PatientAge",
    "StudyID": "StudyID",
    "SOPInstanceUID": "SOPInstanceUID",
    "InstanceNumber": "InstanceNumber",
    "AcquisitionNumber": "AcquisitionNumber",
}


@dataclass(frozen=True)
class Instance:
    """One file: its header's values by field of `getSeries`, its place below the folder of files."""

    path: str
    size_bytes: int
    modified_utc: float
    header: dict[str, str]

    @property
    def uid(self) -> str:
        return self.header["SOPInstanceUID"]


@dataclass(frozen=True)
class SeriesRecord:
    """One series as it is served: the row of `getSeries`, and its files in the order of their instance numbers."""

    row: dict[str, Any]
    instances: list[Instance]


class Index:
    """The series of ``folder`` in the release that is served now.

    With `releases.json` in ``folder``, its datasets lie in `files/` and follow the releases. Without, every
    folder in ``folder`` is a collection (loose files belong to one named after ``folder``), all is served,
    and files are released on the day they were last changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[Any, ...] | None = None
        self._stamps: tuple[tuple[str, float], ...] = ()
        self._looked = -_LOOK_SECONDS
        self._lock = threading.Lock()
        self._records: dict[str, SeriesRecord] = {}
        self._headers: dict[str, tuple[int, float, dict[str, str] | None]] = {}

    @property
    def files(self) -> Path:
        return self.folder / FILES_FOLDER if (self.folder / FILES_FOLDER).is_dir() else self.folder

    def releases(self) -> Releases | None:
        return read_releases(self.folder)

    def series(self) -> dict[str, SeriesRecord]:
        """Return the series that are served now, by UID; files are read again only where they changed."""
        with self._lock:  # requests come in several threads
            releases = self.releases()
            release = current_release(self.folder, releases)
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._stamps = tuple(_folder_stamps(self.files))
                self._looked = time.monotonic()
            state = (releases, release, self._stamps)
            if state != self._seen:
                self._records = _records(self._instances(), releases, release, self.folder.name)
                self._seen = state
            return self._records

    def _instances(self) -> list[Instance]:
        headers = self._headers or self._cached()
        fresh: dict[str, tuple[int, float, dict[str, str] | None]] = {}
        for path in _files(self.files):
            facts = path.stat()
            name = path.relative_to(self.files).as_posix()
            known = headers.get(name)
            if known is not None and known[:2] == (facts.st_size, facts.st_mtime):
                fresh[name] = known
            else:
                try:
                    fresh[name] = (facts.st_size, facts.st_mtime, _header(path))
                except OSError as error:  # not remembered: the same file may be readable when it is next looked at
                    _LOG.warning("%s cannot be read (%s) and is not served", path, error.strerror or error)
        if fresh != headers and self.files != self.folder:  # no traces in folders that are not ours
            write_json(self.folder / _CACHE, fresh)
        self._headers = fresh
        return [
            Instance(name, size, time, header) for name, (size, time, header) in fresh.items() if header is not None
        ]

    def _cached(self) -> dict[str, tuple[int, float, dict[str, str] | None]]:
        try:
            values = json.loads((self.folder / _CACHE).read_text())
            return {name: (int(size), float(time), header) for name, (size, time, header) in values.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _folder_stamps(root: Path) -> Iterator[tuple[str, float]]:
    """Yield every folder with the time of its last change, which moves when files come or go."""
    for place, folders, _ in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield place, os.stat(place).st_mtime


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((".json", ".csv", ".txt", ".md", ".parquet")):
                yield Path(place) / name


def _header(path: Path) -> dict[str, str] | None:
    """Return the values of a DICOM header, or None for a file that is no whole image of a series; raises OSError."""
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_FIELDS.values()))
        values = {field: dataset.get(keyword) for field, keyword in _FIELDS.items()}
    except InvalidDicomError:
        return None
    except OSError:
        raise
    except Exception as error:  # pydicom raises whatever a damaged header makes it stumble over, struct.error for one
        _LOG.warning("%s is damaged (%s: %s) and is not served", path, type(error).__name__, error)
        return None
    if not values["SeriesInstanceUID"] or not values["SOPInstanceUID"]:
        return None
    return {
        field: "\\".join(map(str, value)) if isinstance(value, (list, pydicom.multival.MultiValue)) else str(value)
        for field, value in values.items()
        if value not in (None, "")
    }


def _records(instances: list[Instance], releases: Releases | None, release: int, name: str) -> dict[str, SeriesRecord]:
    groups: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in instances:
        place = instance.path.split("/")
        collection = place[0] if len(place) > 1 else name
        if releases is None or releases.shows(collection, release):
            groups[collection, instance.header["SeriesInstanceUID"]].append(instance)
    records = {}
    for (collection, uid), found in groups.items():
        dataset = (releases.datasets.get(collection) if releases else None) or DatasetRelease()
        version = releases.folder_of(uid, release) if releases else None
        files = sorted(
            (file for file in found if version is None or file.path.startswith(f"{version[1]}/")), key=_order
        )
        if not files:
            continue
        newest = max(file.modified_utc for file in files)
        if releases is None:
            released = revised = datetime.fromtimestamp(newest, UTC)
        else:
            released = _midnight(releases, dataset.first)
            revised = _midnight(releases, version[0] if version is not None else dataset.first)
        records[uid] = SeriesRecord(_row(collection, files, dataset, released, revised), files)
    return records


def _midnight(releases: Releases, release: int) -> datetime:
    return datetime.combine(releases.day(release), datetime.min.time())


def _order(file: Instance) -> tuple[int, str]:
    number = file.header.get("InstanceNumber", "")
    return (int(number) if number.lstrip("-").isdigit() else 0, file.path)


def _row(
    collection: str, files: list[Instance], dataset: DatasetRelease, released: datetime, revised: datetime
) -> dict[str, Any]:
    first = files[0].header
    row: dict[str, Any] = {
        "SeriesInstanceUID": first["SeriesInstanceUID"],
        "StudyInstanceUID": first.get("StudyInstanceUID"),
        "PatientID": first.get("PatientID"),
        "Collection": collection,
    }
    row |= {field: first.get(field) for field in _FIELDS if field not in row}
    for field in ("SOPInstanceUID", "InstanceNumber", "AcquisitionNumber"):
        del row[field]
    for field in ("SeriesDate", "StudyDate"):
        row[field] = _dated(row[field])
    row["SeriesNumber"] = int(row["SeriesNumber"]) if (row["SeriesNumber"] or "").lstrip("-").isdigit() else None
    row |= {
        "ImageCount": len(files),
        "FileSize": sum(file.size_bytes for file in files),
        "TimeStamp": f"{revised:%Y-%m-%d %H:%M:%S}.0",
        "DateReleased": f"{released:%Y-%m-%d} 00:00:00.0",
        "LicenseName": dataset.licence or None,
        "LicenseURI": dataset.licence_uri or None,
        "CollectionURI": f"https://doi.org/{dataset.doi}" if dataset.doi else None,
        "ThirdPartyAnalysis": "NO",
        "Phantom": "YES" if dataset.phantom else "NO",
    }
    return {field: value for field, value in row.items() if value is not None}


def _dated(value: str | None) -> str | None:
    """Return a DICOM date (YYYYMMDD) as the archive writes it."""
    if value is None or len(value) != 8 or not value.isdigit():
        return None
    return f"{value[:4]}-{value[4:6]}-{value[6:]} 00:00:00.0"
