"""The Cancer Imaging Archive and every other NBIA, by its REST interface version 4.

No authentication; the large lung screening trial has a host of its own.
"""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    Delivery,
    DeliveryError,
    EmptyArchiveError,
    SeriesNotFoundError,
)
from modality_assets.archives.http import PATIENT, HttpClient, Patience, counted
from modality_assets.archives.unpack import Limits, unzip
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA, conform
from modality_assets.layout import UnsafeNameError, dataset_key
from modality_assets.manifest import digest
from modality_assets.progress import SILENT, Progress

OFFICIAL_URL = "https://nbia.cancerimagingarchive.net/nbia-api/services/v4/"
_OWN_HOST = {"NLST": "nlst"}
"""Collections that the official archive serves from another host, by the word in place of 'nbia'."""
_BEGINNING = date(1990, 1, 1)


class NbiaArchive:
    """Collections and series of an NBIA; a series comes as a zip with a table of MD5s."""

    def __init__(
        self,
        url: str = OFFICIAL_URL,
        *,
        name: str = "nbia",
        synthetic: bool = False,
        connections: int = 8,
        patience: Patience = PATIENT,
    ) -> None:
        self.name = name
        self.synthetic = synthetic
        self._main = HttpClient(url, connections=connections, patience=patience)
        self._official = self._main.url.host.startswith("nbia.cancerimagingarchive.")
        self._own: dict[str, HttpClient] = {}
        if self._official:
            for collection, word in _OWN_HOST.items():
                host = self._main.url.host.replace("nbia", word, 1)
                own = self._main.url.copy_with(host=host)
                self._own[collection] = HttpClient(str(own), connections=connections, patience=patience)
        self._listed: list[dict[str, Any]] | None = None

    def version(self) -> str:
        """Digest of the collections and of the series updated lately.

        The official archive is asked for updates since the quarter before this one began, and the quarter
        is part of the version, so nothing is missed however rarely one asks; smaller archives are asked
        for everything they ever updated.
        """
        today = datetime.now(UTC).date()
        quarter = (today.year * 4 + (today.month - 1) // 3) if self._official else 0
        before = quarter - 1
        since = date(before // 4, before % 4 * 3 + 1, 1) if self._official else _BEGINNING
        facts: list[Any] = [quarter]
        for client in (self._main, *self._own.values()):
            updated = self._updated(client, since)
            facts.append([self._collections(client), sorted(digest(row) for row in updated)])
        return digest(facts)

    def updated_series(self, since: date) -> list[dict[str, Any]]:
        """Return what ``getUpdatedSeries`` tells: the series that came or changed on or after ``since``."""
        return [row for client in (self._main, *self._own.values()) for row in self._updated(client, since)]

    def list_collections(self) -> pl.DataFrame:
        """Return one row per collection; DOI, licences and dates are those of its series."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for series in self._listed if self._listed is not None else self._list(SILENT):
            rows.setdefault(series["Collection"], []).append(series)
        return conform(
            pl.DataFrame(
                [self._collection(name, series) for name, series in sorted(rows.items())], infer_schema_length=None
            ),
            RAW_COLLECTION_SCHEMA,
        )

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        """Return every series of every collection. Raises `EmptyArchiveError`, and what `HttpClient` raises."""
        rows = [_series(row) for row in self._list(progress)]
        return conform(pl.DataFrame(rows, infer_schema_length=None), RAW_SERIES_SCHEMA)

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Download and unpack the zip of one series; MD5s are those that the archive keeps of its files."""
        uid = row["series_uid"]
        client = self._own.get(row["archive_ref"], self._main)
        with client.stream("getImageWithMD5Hash", {"SeriesInstanceUID": uid}) as response:
            pieces = counted(response.iter_bytes(), on_bytes)
            start = next(filter(None, pieces), b"")
            if not start:
                raise SeriesNotFoundError(
                    f"series {uid}: the archive answered with an empty body; it has the series no more"
                )
            if not start.startswith(b"PK"):
                kind = response.headers.get("Content-Type", "unnamed content")
                raise DeliveryError(f"series {uid}: {kind} came where a zip was due")
            delivery = unzip(itertools.chain([start], pieces), into, limits=_limits(row))
        if not delivery.files:
            raise SeriesNotFoundError(f"series {uid}: the archive sent a zip without images; it has the series no more")
        return delivery

    def pins(self) -> pl.DataFrame | None:
        return None

    def close(self) -> None:
        for client in (self._main, *self._own.values()):
            client.close()

    def _list(self, progress: Progress) -> list[dict[str, Any]]:
        wanted = [(client, name) for client in (self._main, *self._own.values()) for name in self._collections(client)]
        wanted = [(client, name) for client, name in wanted if self._own.get(name, client) is client]
        if not wanted:
            raise EmptyArchiveError(
                f"{self._main.url} answers, and lists no collections; check that it is the right archive"
            )
        listed: list[dict[str, Any]] = []
        with progress.task("Listing collections", total=len(wanted), unit="collections") as task:
            for client, name in wanted:
                for row in client.objects("getSeries", {"Collection": name}):
                    listed.append(_checked(row, client.url, name))
                task.advance(1)
        if not listed:
            raise EmptyArchiveError(f"{self._main.url} lists {len(wanted)} collections, and no series in them")
        self._listed = listed
        return listed

    def _collections(self, client: HttpClient) -> list[str]:
        names = [row.get("Collection") for row in client.objects("getCollectionValues")]
        if not all(isinstance(name, str) and name for name in names):
            raise ArchiveAnswerError(f"{client.url}getCollectionValues lists a collection without a name")
        return sorted(str(name) for name in names)

    def _updated(self, client: HttpClient, since: date) -> list[dict[str, Any]]:
        return client.objects("getUpdatedSeries", {"fromDate": since.strftime("%m-%d-%Y")})

    def _collection(self, name: str, series: list[dict[str, Any]]) -> dict[str, Any]:
        key = _key(name)
        released = sorted(str(row["DateReleased"]) for row in series if row.get("DateReleased"))
        revised = sorted(str(row["TimeStamp"]) for row in series if row.get("TimeStamp"))
        uris = [str(row["CollectionURI"]) for row in series if "doi.org/" in str(row.get("CollectionURI", ""))]
        doi = max(sorted(set(uris)), key=uris.count).partition("doi.org/")[2].lower() if uris else None
        return {
            "dataset": key,
            "title": name,
            "doi": doi,
            "archive": self.name,
            "licences": "; ".join(sorted({row["LicenseName"] for row in series if row.get("LicenseName")})),
            "first_release": released[0][:10] if released else None,
            "revised_release": revised[-1] if revised else None,
            "retired": False,
            "synthetic": self.synthetic and key.startswith("phantom-"),
        }


def _checked(row: dict[str, Any], url: httpx.URL, collection: str) -> dict[str, Any]:
    if not row.get("SeriesInstanceUID"):
        raise ArchiveAnswerError(f"{url}getSeries?Collection={collection} lists a series without SeriesInstanceUID")
    return {"Collection": collection, **row}


def _series(row: dict[str, Any]) -> dict[str, Any]:
    images = _whole(row.get("ImageCount"))
    return {
        "dataset": _key(row["Collection"]),
        "patient_id": row.get("PatientID"),
        "study_uid": row.get("StudyInstanceUID"),
        "series_uid": row["SeriesInstanceUID"],
        "modality_tag": row.get("Modality"),
        "body_part_raw": row.get("BodyPartExamined"),
        "manufacturer": row.get("Manufacturer"),
        "manufacturer_model": row.get("ManufacturerModelName"),
        "series_description": row.get("SeriesDescription"),
        "format": "DICOM",
        "instances": images,
        "planned_images": images,
        "size_bytes": _whole(row.get("FileSize")),
        "licence": row.get("LicenseName"),
        "first_release": row.get("DateReleased"),
        "revised_release": row.get("TimeStamp"),
        "analysis_result": str(row.get("ThirdPartyAnalysis", "")).strip().upper() in ("YES", "Y", "TRUE", "1"),
        "archive_ref": row["Collection"],
    }


def _key(collection: str) -> str:
    try:
        return dataset_key(collection)
    except UnsafeNameError:
        raise ArchiveAnswerError(f"collection {collection!r} has a name of which no dataset key can be made") from None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _limits(row: dict[str, Any]) -> Limits:
    """Twice what the catalogue says and some room; the general limits where it says nothing."""
    instances, size = row.get("instances"), row.get("size_bytes")
    return Limits(
        members=2 * instances + 100 if instances else Limits.members,
        total_bytes=2 * size + (64 << 20) if size else Limits.total_bytes,
    )
