"""The endpoints that list: collections, values, patients, studies, series, instances."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from modality_assets.archives.replica.answers import (
    METADATA_COLUMNS,
    SERIES_FIELDS,
    answer,
    csv_answer,
    parameters,
    refuse,
)
from modality_assets.archives.replica.dates import DateError, read_day
from modality_assets.archives.replica.index import Index

_FILTERS = (
    "Collection", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined", "Manufacturer",
    "ManufacturerModelName", "SeriesDescription", "LicenseName",
)  # fmt: skip
_ALIASES = {"patientid": "PatientID", "studyuid": "StudyInstanceUID", "seriesuid": "SeriesInstanceUID"}


class Queries:
    """The listing endpoints over one `Index`; each method answers one request."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def values(self, field: str) -> Callable[[Request], Response]:
        """Return the endpoint that lists the distinct values of ``field``."""

        def endpoint(request: Request) -> Response:
            found = sorted({row[field] for row in self._rows(request) if field in row})
            return answer(request, [{field: value} for value in found])

        return endpoint

    def counts(self, field: str) -> Callable[[Request], Response]:
        """Return the endpoint that counts patients per value of ``field``."""

        def endpoint(request: Request) -> Response:
            patients: dict[str, set[tuple[str, str]]] = defaultdict(set)
            for row in self._rows(request):
                patients[row.get(field, "Not Specified")].add((row["Collection"], row.get("PatientID", "")))
            found = [{"criteria": value, "count": str(len(who))} for value, who in sorted(patients.items())]
            return answer(request, found)

        return endpoint

    def series(self, request: Request) -> Response:
        return answer(request, self._rows(request), SERIES_FIELDS)

    def updated_series(self, request: Request) -> Response:
        """Series that came or changed on or after ``fromDate``."""
        return self._since(request, lambda rows: answer(request, rows, SERIES_FIELDS))

    def patients(self, request: Request) -> Response:
        return answer(request, _patients(self._rows(request)))

    def new_patients(self, request: Request) -> Response:
        """Patients of a collection with series that came or changed on or after ``fromDate``."""
        if "collection" not in parameters(request.query_params):
            return refuse("A parameter, Collection, is required for this API call.")
        return self._since(request, lambda rows: answer(request, _patients(rows)))

    def studies(self, request: Request) -> Response:
        return answer(request, _studies(self._rows(request)))

    def new_studies(self, request: Request) -> Response:
        if not {"collection", "patientid"} <= parameters(request.query_params).keys():
            return refuse("Parameters, Collection and PatientID, are required for this API call.")
        return self._since(request, lambda rows: answer(request, _studies(rows)))

    async def metadata(self, request: Request) -> Response:
        """CSV of the series in the form field ``list``: UIDs with commas between."""
        form = parameters(dict(parse_qsl((await request.body()).decode())))
        wanted = [uid.strip() for uid in form.get("list", "").replace("\n", ",").split(",") if uid.strip()]
        if not wanted:
            return refuse("A parameter, list, is required for this API call.")
        known = self._index.series()
        rows = [known[uid].row for uid in dict.fromkeys(wanted) if uid in known]
        return csv_answer(rows, list(METADATA_COLUMNS), METADATA_COLUMNS) if rows else Response()

    def size(self, request: Request) -> Response:
        return self._one(
            request,
            lambda record: answer(
                request, [{"TotalSizeInBytes": record.row["FileSize"], "ObjectCount": record.row["ImageCount"]}]
            ),
        )

    def instances(self, request: Request) -> Response:
        return self._one(
            request, lambda record: answer(request, [{"SOPInstanceUID": file.uid} for file in record.instances])
        )

    def descriptions(self, request: Request) -> Response:
        """Collections with their text; phantoms say that they are phantoms."""
        releases = self._index.releases()
        rows = []
        for number, name in enumerate(sorted({row["Collection"] for row in self._rows(request)}), 1):
            dataset = releases.datasets.get(name) if releases else None
            row: dict[str, Any] = {"id": number, "collectionName": name, "description": "", "descriptionURI": ""}
            if dataset is not None:
                row |= {
                    "title": dataset.title,
                    "description": f"<p>{dataset.description}</p>",
                    "descriptionURI": f"https://doi.org/{dataset.doi}" if dataset.doi else "",
                    "licenseName": dataset.licence,
                }
            rows.append(row)
        return answer(request, rows)

    def _rows(self, request: Request) -> list[dict[str, Any]]:
        asked = {_ALIASES.get(name, name).lower(): value for name, value in parameters(request.query_params).items()}
        wanted = {field: asked[field.lower()] for field in _FILTERS if field.lower() in asked}
        rows = (record.row for record in self._index.series().values())
        found = [row for row in rows if all(row.get(field) == value for field, value in wanted.items())]
        return sorted(found, key=lambda row: (row["Collection"], row.get("PatientID", ""), row["SeriesInstanceUID"]))

    def _since(self, request: Request, then: Callable[[list[dict[str, Any]]], Response]) -> Response:
        text = parameters(request.query_params).get("fromdate") or parameters(request.query_params).get("date")
        if text is None:
            return refuse("A parameter, fromDate, is required for this API call.")
        try:
            day = read_day(text).isoformat()
        except DateError as error:
            return refuse(str(error))
        return then([row for row in self._rows(request) if max(row["TimeStamp"], row["DateReleased"])[:10] >= day])

    def _one(self, request: Request, then: Callable[[Any], Response]) -> Response:
        uid = parameters(request.query_params).get("seriesinstanceuid")
        if uid is None:
            return refuse("A parameter, SeriesInstanceUID, is required for this API call.")
        record = self._index.series().get(uid)
        return Response() if record is None else then(record)


def _patients(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {}
    for row in rows:
        found[row["Collection"], row.get("PatientID", "")] = {
            "PatientId": row.get("PatientID"),
            "PatientName": row.get("PatientName"),
            "PatientSex": row.get("PatientSex"),
            "Collection": row["Collection"],
            "Phantom": row["Phantom"],
        }
    return [{field: value for field, value in patient.items() if value is not None} for patient in found.values()]


def _studies(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = list(rows)
    series = Counter((row["Collection"], row.get("StudyInstanceUID")) for row in rows)
    found = {}
    for row in rows:
        key = (row["Collection"], row.get("StudyInstanceUID"))
        found[key] = {
            "StudyInstanceUID": row.get("StudyInstanceUID"),
            "StudyDate": row.get("StudyDate"),
            "StudyDescription": row.get("StudyDesc"),
            "StudyID": row.get("StudyID"),
            "PatientID": row.get("PatientID"),
            "PatientName": row.get("PatientName"),
            "PatientSex": row.get("PatientSex"),
            "PatientAge": row.get("PatientAge"),
            "Collection": row["Collection"],
            "SeriesCount": series[key],
        }
    return [{field: value for field, value in study.items() if value is not None} for study in found.values()]
