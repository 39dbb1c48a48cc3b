"""Any PACS that speaks DICOMweb: found by QIDO-RS (PS3.18 section 10.6), fetched by WADO-RS (10.4)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    Delivery,
    DeliveryError,
    EmptyArchiveError,
    FileFacts,
    Written,
)
from modality_assets.archives.http import PATIENT, HttpClient, Patience, counted
from modality_assets.archives.unpack import Limits
from modality_assets.archives.written import HashedFile
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.layout import check_uid, dataset_key
from modality_assets.manifest import digest
from modality_assets.progress import SILENT, Progress

_PAGE = 500
_WADO_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_ATTRIBUTES = {
    "patient_id": "00100020",
    "study_uid": "0020000D",
    "series_uid": "0020000E",
    "modality_tag": "00080060",
    "body_part_raw": "00180015",
    "manufacturer": "00080070",
    "manufacturer_model": "00081090",
    "series_description": "0008103E",
}
_INSTANCES = "00201209"


class DicomWebArchive:
    """All series of one server as one dataset, named after its host.

    ``url`` is the root below which ``/studies`` lies. Credentials come from the URL (user:password@) or, as
    the value of an Authorization header, from MODALITY_DICOMWEB_AUTHORIZATION.
    """

    name = "dicomweb"
    synthetic = False

    def __init__(self, url: str, *, connections: int = 4, patience: Patience = PATIENT) -> None:
        secret = os.environ.get("MODALITY_DICOMWEB_AUTHORIZATION")
        self._client = HttpClient(
            url,
            connections=connections,
            patience=patience,
            headers={"Authorization": secret} if secret else {},
        )
        self.dataset = dataset_key(self._client.url.host)

    def version(self) -> str:
        """Digest of every series' UID and number of instances; DICOMweb has nothing cheaper to ask."""
        return digest(sorted((row["series_uid"], row["instances"]) for row in self._rows(SILENT)))

    def list_collections(self) -> pl.DataFrame:
        """Return one row: the server."""
        row = {
            "dataset": self.dataset,
            "title": f"PACS at {self._client.url.host}",
            "archive": self.name,
            "retired": False,
            "synthetic": False,
        }
        return conform(pl.DataFrame([row]), RAW_COLLECTION_SCHEMA)

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        """Return every series. DICOMweb tells neither sizes nor frames: planned images are instances."""
        rows = self._rows(progress)
        if not rows:
            raise EmptyArchiveError(
                f"{self._client.url} answers, and holds no series; check that it is the right server"
            )
        return conform(pl.DataFrame(rows, infer_schema_length=None), RAW_SERIES_SCHEMA)

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Stream the instances of one series into files, in the transfer syntax in which they are stored."""
        path = f"studies/{check_uid(str(row['archive_ref']))}/series/{check_uid(str(row['series_uid']))}"
        with self._client.stream(path, headers={"Accept": _WADO_ACCEPT}) as response:
            kind, options = parse_options_header(response.headers.get("Content-Type", ""))
            boundary = options.get(b"boundary")
            if kind != b"multipart/related" or not boundary:
                raise DeliveryError(
                    f"{response.url} answered {kind.decode('latin-1') or 'nothing'}, not multipart/related"
                )
            parts = _Parts(into)
            parser = MultipartParser(boundary, parts.callbacks())
            try:
                for chunk in counted(response.iter_bytes(), on_bytes):
                    parser.write(chunk)
            except MultipartParseError as error:
                raise DeliveryError(f"{response.url} answered a damaged multipart body: {error}") from None
            finally:
                parts.close()
            if not parts.ended:
                raise DeliveryError(
                    f"{response.url}: the multipart body was cut off after {len(parts.written)} instances"
                )
        return Delivery({name: FileFacts(file.size_bytes) for name, file in parts.written.items()}, parts.written)

    def pins(self) -> pl.DataFrame | None:
        return None

    def close(self) -> None:
        self._client.close()

    def _rows(self, progress: Progress) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        with progress.task("Listing series", unit="series") as task:
            while True:
                fields = [*_ATTRIBUTES.values(), _INSTANCES]
                asked = {"limit": _PAGE, "offset": len(rows), "includefield": fields}
                page = [self._row(item) for item in self._client.objects("series", asked)]
                fresh = {row["series_uid"]: row for row in page if row["series_uid"] not in rows}
                rows |= fresh
                task.advance(len(fresh))
                if not fresh:  # the end, or a server that knows no paging and answered everything again
                    return list(rows.values())

    def _row(self, item: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {name: _value(item, tag) for name, tag in _ATTRIBUTES.items()}
        if not row["series_uid"] or not row["study_uid"]:
            raise ArchiveAnswerError(
                f"{self._client.url}series lists a series without its UIDs; it is no DICOMweb server"
            )
        instances = _value(item, _INSTANCES)
        row["instances"] = row["planned_images"] = int(instances) if instances and instances.isdigit() else None
        return {
            **row,
            "dataset": self.dataset,
            "format": "DICOM",
            "analysis_result": False,
            "archive_ref": row["study_uid"],
        }


def _value(item: dict[str, Any], tag: str) -> str | None:
    """Return the first value of an attribute in the DICOM JSON model (PS3.18 annex F), None if it is empty."""
    attribute = item.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0]).strip() or None if isinstance(values, list) and values else None


class _Parts:
    """Writes each part of a multipart body to a file of its own, and remembers what was written."""

    def __init__(self, into: Path) -> None:
        self.written: dict[str, Written] = {}
        self.ended = False
        self._into = into
        self._file: HashedFile | None = None

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self.close,
            "on_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self.written[self._name()] = self._file.close()
            self._file = None

    def _begin(self) -> None:
        if len(self.written) >= Limits.members:
            raise DeliveryError(f"more than {Limits.members} instances arrived for one series")
        self._file = HashedFile(self._into / self._name(), md5=False)

    def _data(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None  # the parser begins a part before its data
        self._file.write(memoryview(data)[start:end])

    def _name(self) -> str:
        return f"{len(self.written) + 1:06d}.dcm"

    def _end(self) -> None:
        self.ended = True
