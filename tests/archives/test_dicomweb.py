"""DICOMweb against a real PACS where one is installed, and against scripted answers for what goes wrong."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    ArchiveRefusedError,
    DeliveryError,
    EmptyArchiveError,
    SeriesNotFoundError,
)
from modality_assets.archives.dicomweb import DicomWebArchive
from modality_assets.archives.http import Patience
from modality_assets.archives.series_uid import series_uid_of
from modality_assets.archives.store import fetch_dataset, stored_files
from modality_assets.catalogue.series import RAW_SERIES_SCHEMA

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Orthanc on loopback with nothing in it; gives its URL."""
    binary = shutil.which("Orthanc") or shutil.which("orthanc")
    if binary is None or not PLUGIN.is_file():
        pytest.skip("no Orthanc: apt-get install orthanc orthanc-dicomweb")
    folder = tmp_path_factory.mktemp("orthanc")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"me": "secret"},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([binary, str(folder / "settings.json")], stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not _answers(f"{url}/system"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Orthanc did not start:\n{(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        _call(url).close()
    except OSError:
        return False
    return True


def _call(url: str, data: bytes | None = None, method: str | None = None) -> Any:
    request = urllib.request.Request(url, data=data, method=method, headers={"Authorization": "Basic bWU6c2VjcmV0"})
    return urllib.request.urlopen(request)


@pytest.fixture
def pacs(orthanc: str, make_dicom: Callable[..., bytes]) -> Iterator[tuple[str, dict[str, list[bytes]]]]:
    """The PACS with two series of different studies, and their bytes by UID; emptied afterwards."""
    series = {
        "1.2.826.1": [
            make_dicom("1.2.826.1", number, Manufacturer="ACME", BodyPartExamined="CHEST") for number in (1, 2, 3)
        ],
        "1.2.826.2": [make_dicom("1.2.826.2", 1, Modality="MR")],
    }
    for files in series.values():
        for data in files:
            _call(f"{orthanc}/instances", data).close()
    yield orthanc, series
    with _call(f"{orthanc}/patients") as answer:
        for patient in json.load(answer):
            _call(f"{orthanc}/patients/{patient}", method="DELETE").close()


def signed(url: str) -> str:
    return url.replace("http://", "http://me:secret@") + "/dicom-web"


@pytest.mark.orthanc
def test_the_series_of_a_real_pacs_are_found_with_their_attributes(pacs: tuple[str, dict[str, list[bytes]]]) -> None:
    with closing(DicomWebArchive(signed(pacs[0]))) as archive:
        rows = archive.list_series().sort("series_uid")
        before = archive.version()
        assert archive.version() == before
    assert dict(rows.schema) == RAW_SERIES_SCHEMA
    assert rows["series_uid"].to_list() == list(pacs[1])
    assert rows["instances"].to_list() == [3, 1]
    assert rows["modality_tag"].to_list() == ["CT", "MR"]
    assert rows.row(0, named=True)["manufacturer"] == "ACME"
    assert rows["dataset"].unique().to_list() == ["127.0.0.1"]


@pytest.mark.orthanc
def test_the_series_of_a_real_pacs_arrive_as_they_were_stored(
    pacs: tuple[str, dict[str, list[bytes]]], tmp_path: Path
) -> None:
    with closing(DicomWebArchive(signed(pacs[0]))) as archive:
        rows = archive.list_series()
        report = fetch_dataset(archive, rows, tmp_path, run_id="x", max_missing_share=0)
    assert (report.series_fetched, report.failures) == (2, [])
    for uid, files in pacs[1].items():
        stored = stored_files(tmp_path, uid)
        assert {series_uid_of(path) for path in stored} == {uid}
        assert sorted(path.read_bytes() for path in stored) == sorted(files)


@pytest.mark.orthanc
def test_a_series_that_left_the_pacs_is_not_found(pacs: tuple[str, dict[str, list[bytes]]], tmp_path: Path) -> None:
    with closing(DicomWebArchive(signed(pacs[0]))) as archive:
        row = {**archive.list_series().row(0, named=True), "series_uid": "1.2.826.999"}
        with pytest.raises(SeriesNotFoundError):
            archive.fetch_series(row, tmp_path, lambda amount: None)


@pytest.mark.orthanc
def test_a_pacs_that_wants_a_password_says_so(pacs: tuple[str, dict[str, list[bytes]]]) -> None:
    with (
        closing(DicomWebArchive(pacs[0] + "/dicom-web")) as archive,
        pytest.raises(ArchiveRefusedError, match="refused us"),
    ):
        archive.list_series()


@pytest.mark.orthanc
def test_an_authorization_header_can_come_from_the_environment(
    pacs: tuple[str, dict[str, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODALITY_DICOMWEB_AUTHORIZATION", "Basic bWU6c2VjcmV0")
    with closing(DicomWebArchive(pacs[0] + "/dicom-web")) as archive:
        assert archive.list_series().height == 2


@pytest.mark.orthanc
def test_an_empty_pacs_is_empty_and_says_so(orthanc: str) -> None:
    with closing(DicomWebArchive(signed(orthanc))) as archive, pytest.raises(EmptyArchiveError):
        archive.list_series()


def item(number: int) -> dict[str, Any]:
    return {
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "0020000E": {"vr": "UI", "Value": [f"1.2.{number}"]},
        "00201209": {"vr": "IS", "Value": [2]},
        "00080060": {"vr": "CS"},
    }


@pytest.fixture
def scripted(serve_http: Callable[[Any], str], patience: Patience) -> Iterator[Callable[[Any], DicomWebArchive]]:
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(closing(DicomWebArchive(serve_http(handler), patience=patience)))


def test_pages_are_asked_for_until_nothing_new_comes(scripted: Callable[[Any], DicomWebArchive], answer: Any) -> None:
    def pages(path: str, query: dict[str, str]) -> Any:
        start = int(query["offset"])
        return answer(json.dumps([item(number) for number in range(start + 1, min(start + 300, 700) + 1)]).encode())

    assert scripted(pages).list_series().height == 700


def test_a_server_that_knows_no_pages_is_listed_once(scripted: Callable[[Any], DicomWebArchive], answer: Any) -> None:
    archive = scripted(lambda path, query: answer(json.dumps([item(1), item(2)]).encode()))
    rows = archive.list_series()
    assert rows["series_uid"].to_list() == ["1.2.1", "1.2.2"]
    assert rows["modality_tag"].to_list() == [None, None]


def test_no_content_means_no_series(scripted: Callable[[Any], DicomWebArchive], answer: Any) -> None:
    with pytest.raises(EmptyArchiveError):
        scripted(lambda path, query: answer(b"", 204)).list_series()


@pytest.mark.parametrize("body", [b"<html></html>", b'[{"0020000D": {"vr": "UI"}}]', b"[{}]"])
def test_answers_that_are_no_dicomweb_are_named(
    body: bytes, scripted: Callable[[Any], DicomWebArchive], answer: Any
) -> None:
    with pytest.raises(ArchiveAnswerError):
        scripted(lambda path, query: answer(body)).list_series()


MULTIPART = (
    b"--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\nContent-Type: application/dicom\r\n\r\ntwo\r\n"
)
ROW = {"series_uid": "1.2.1", "archive_ref": "1.2"}
HEADERS = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}


def test_each_part_becomes_a_file(scripted: Callable[[Any], DicomWebArchive], answer: Any, tmp_path: Path) -> None:
    archive = scripted(lambda path, query: answer(MULTIPART + b"--b--\r\n", headers=HEADERS))
    delivery = archive.fetch_series(ROW, tmp_path, lambda amount: None)
    assert [(name, facts.size_bytes) for name, facts in delivery.files.items()] == [
        ("000001.dcm", 3),
        ("000002.dcm", 3),
    ]
    assert (tmp_path / "000002.dcm").read_bytes() == b"two"


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (MULTIPART, HEADERS, "cut off after 2 instances"),
        (MULTIPART[:44], HEADERS, "cut off after 1 instances"),
        (b"no parts at all", HEADERS, "damaged multipart body"),
        (b"<html></html>", {"Content-Type": "text/html"}, "answered text/html, not multipart"),
        (b"", {}, "answered nothing, not multipart"),
    ],
)
def test_a_delivery_that_is_not_whole_is_named(
    body: bytes,
    headers: dict[str, str],
    says: str,
    scripted: Callable[[Any], DicomWebArchive],
    answer: Any,
    tmp_path: Path,
) -> None:
    archive = scripted(lambda path, query: answer(body, headers=headers))
    with pytest.raises(DeliveryError, match=says):
        archive.fetch_series(ROW, tmp_path, lambda amount: None)
