"""The embedded archive's server: the NBIA interface, version 4, over a folder of DICOM.

https://wiki.cancerimagingarchive.net/display/Public/NBIA+Search+REST+API+Guide describes the interface.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from modality_assets.archives.replica.answers import parameters, refuse
from modality_assets.archives.replica.delivery import series_zip
from modality_assets.archives.replica.index import Index, SeriesRecord
from modality_assets.archives.replica.queries import Queries
from modality_assets.archives.replica.releases import ReleaseError
from modality_assets.archives.replica.tags import header_rows
from modality_assets.manifest import write_json

API_PATH = "/nbia-api/services/v4/"
URL_FILE = "server.json"


class ServerStartError(RuntimeError):
    """The server did not come up: its port is taken, or it took too long."""


def create_app(folder: Path) -> Starlette:
    """Return the application that serves ``folder``; headers are read at the first request, then on change.

    Raises FileNotFoundError where ``folder`` is no folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; name one that holds DICOM files")
    index = Index(folder.absolute())
    routes = _routes(index)
    # Clients of versions 1 and 2 ask for the same things under other prefixes.
    mounts = [Mount(f"/nbia-api/services/{version}", routes=routes) for version in ("v4", "v2", "v1")]
    return Starlette(routes=mounts, exception_handlers={ReleaseError: _release_trouble})


def serve(folder: Path, port: int, host: str = "127.0.0.1", announce: Callable[[str], None] | None = None) -> None:
    """Serve ``folder`` until interrupted. While it does, `<folder>/server.json` holds the URL.

    ``announce`` is called with the URL once it is known.
    """
    app = create_app(folder)
    with _listening(host, port) as listener:
        url = _url(host, listener)
        mine = {"url": url}
        write_json(folder / URL_FILE, mine)
        if announce is not None:
            announce(url)
        try:
            _server(app).run(sockets=[listener])
        finally:
            # Another server over the same folder may have written its own since.
            if (folder / URL_FILE).exists() and json.loads((folder / URL_FILE).read_text()) == mine:
                (folder / URL_FILE).unlink()


@contextmanager
def running_server(folder: Path, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve ``folder`` from a thread and give `http://host:port/nbia-api/services/v4/`; stop at the end."""
    server = _server(create_app(folder))
    with _listening(host, port) as listener:
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="embedded archive", daemon=True
        )
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise ServerStartError(f"the embedded archive over {folder} did not start; see the log above")
                time.sleep(0.01)
            yield _url(host, listener)
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=3))


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServerStartError(f"cannot serve on {host}:{port} ({error}); choose another port") from None
    with listener:
        yield listener


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}{API_PATH}"


def _routes(index: Index) -> list[Route]:
    queries = Queries(index)
    lists: dict[str, Callable[[Request], Response]] = {
        "getSeries": queries.series,
        "getUpdatedSeries": queries.updated_series,
        "getPatient": queries.patients,
        "getPatientByCollectionAndModality": queries.patients,
        "NewPatientsInCollection": queries.new_patients,
        "getPatientStudy": queries.studies,
        "NewStudiesInPatientCollection": queries.new_studies,
        "getSeriesSize": queries.size,
        "getSOPInstanceUIDs": queries.instances,
        "getCollectionDescriptions": queries.descriptions,
    }
    for name, field in (
        ("Collection", "Collection"),
        ("Modality", "Modality"),
        ("BodyPart", "BodyPartExamined"),
        ("Manufacturer", "Manufacturer"),
    ):
        lists[f"get{name}Values"] = queries.values(field)
        lists[f"get{name}ValuesAndCounts"] = queries.counts(field)
    routes: list[Any] = [Route(f"/{name}", endpoint) for name, endpoint in lists.items()]
    routes.append(Route("/getSeriesMetadata", queries.metadata, methods=["POST"]))
    routes.append(Route("/getImage", _zips(index, md5=False)))
    routes.append(Route("/getImageWithMD5Hash", _zips(index, md5=True)))
    routes.append(Route("/getSingleImage", _single(index)))
    routes.append(Route("/getDicomTags", _tags(index)))
    return routes


def _zips(index: Index, *, md5: bool) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        record = _wanted(index, request)
        if isinstance(record, Response):
            return record
        new_names = parameters(request.query_params).get("newfilenames", "").lower() in ("yes", "true")
        name = f"{record.row['SeriesInstanceUID']}.zip"
        return StreamingResponse(
            series_zip(record, index.files, new_names=new_names, md5=md5),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return endpoint


def _single(index: Index) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        record = _wanted(index, request)
        if isinstance(record, Response):
            return record
        uid = parameters(request.query_params).get("sopinstanceuid")
        for instance in record.instances:
            if instance.uid == uid:
                return FileResponse(index.files / instance.path, media_type="application/dicom", filename=f"{uid}.dcm")
        return refuse(f"Image with given SOPInstanceUID, {uid}, is not in the series.")

    return endpoint


def _tags(index: Index) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        record = _wanted(index, request, name="SeriesUID")
        if isinstance(record, Response):
            return record
        return JSONResponse(header_rows(index.files / record.instances[0].path))

    return endpoint


def _wanted(index: Index, request: Request, name: str = "SeriesInstanceUID") -> SeriesRecord | Response:
    uid = parameters(request.query_params).get(name.lower())
    if uid is None:
        return refuse(f"A parameter, {name}, is required for this API call.")
    record = index.series().get(uid)
    return (
        record if record is not None else refuse(f"Image with given SeriesInstanceUID, {uid}, is not in public domain.")
    )


async def _release_trouble(request: Request, error: Exception) -> Response:
    return refuse(str(error), 500)
