"""Rows in the forms that NBIA answers in: JSON by default, CSV where asked for, an empty body for no rows."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

SERIES_FIELDS = (
    "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Collection", "Modality", "ProtocolName", "SeriesDate",
    "SeriesDescription", "SeriesNumber", "BodyPartExamined", "Manufacturer", "ManufacturerModelName",
    "SoftwareVersions", "ImageCount", "FileSize", "TimeStamp", "DateReleased", "StudyDate", "StudyDesc",
    "LicenseName", "LicenseURI", "CollectionURI", "ThirdPartyAnalysis",
)  # fmt: skip
"""The fields of `getSeries` in their order."""

METADATA_COLUMNS = {
    "PatientID": "Patient ID",
    "StudyInstanceUID": "Study Instance UID",
    "StudyDate": "Study Date",
    "StudyDesc": "Study Description",
    "SeriesInstanceUID": "Series Instance UID",
    "Collection": "Collection",
    "Modality": "Modality",
    "ProtocolName": "Protocol Name",
    "SeriesDate": "Series Date",
    "SeriesDescription": "Series Description",
    "BodyPartExamined": "Body Part Examined",
    "SeriesNumber": "Series Number",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "Manufacturer Model Name",
    "SoftwareVersions": "Software Versions",
    "ImageCount": "Image Count",
    "TimeStamp": "Max Submission Timestamp",
    "LicenseName": "License Name",
    "LicenseURI": "License URI",
    "CollectionURI": "Collection URI",
    "FileSize": "File Size",
    "DateReleased": "Date Released",
    "ThirdPartyAnalysis": "Third Party Analysis",
    "Phantom": "Phantom",
}
"""Field of `getSeries` to the column of `getSeriesMetadata`."""


def answer(request: Request, rows: Sequence[Mapping[str, Any]], fields: Sequence[str] | None = None) -> Response:
    """Answer with ``rows``; absent values are left out of JSON and are empty in CSV."""
    if not rows:
        return Response(status_code=200)
    if wants_csv(request):
        return csv_answer(rows, fields or list(dict.fromkeys(field for row in rows for field in row)))
    if fields is not None:
        rows = [{field: row[field] for field in fields if field in row} for row in rows]
    return JSONResponse(rows)


def wants_csv(request: Request) -> bool:
    form = parameters(request.query_params).get("format", "").lower()
    return form == "csv" or (not form and "text/csv" in request.headers.get("accept", "").lower())


def csv_answer(
    rows: Iterable[Mapping[str, Any]], fields: Sequence[str], names: Mapping[str, str] | None = None
) -> Response:
    """Answer with a table whose columns are ``fields``, under other ``names`` where given."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([(names or {}).get(field, field) for field in fields])
    writer.writerows([[row.get(field, "") for field in fields] for row in rows])
    return Response(stream.getvalue(), media_type="text/csv")


def parameters(query: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that were filled in, under lower-case names: clients differ in their capitals."""
    return {name.lower(): value for name, value in query.items() if value != ""}


def refuse(text: str, status: int = 400) -> Response:
    return PlainTextResponse(text, status_code=status)
