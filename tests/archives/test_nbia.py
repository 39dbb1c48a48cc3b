import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    ArchiveUnreachableError,
    DeliveryError,
    EmptyArchiveError,
    SeriesNotFoundError,
    UnsafeZipError,
)
from modality_assets.archives.http import Patience
from modality_assets.archives.nbia import NbiaArchive
from modality_assets.archives.replica.server import running_server
from modality_assets.archives.store import fetch_dataset
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA

SERIES = {
    "SeriesInstanceUID": "1.2.1",
    "StudyInstanceUID": "1.2",
    "PatientID": "p1",
    "Collection": "Brain Tumour/1",
    "Modality": "MR",
    "ImageCount": 2,
    "FileSize": 100,
    "DateReleased": "2024-01-02 00:00:00.0",
    "TimeStamp": "2024-02-03 04:05:06.0",
    "LicenseName": "Creative Commons Attribution 4.0 International License",
    "CollectionURI": "https://doi.org/10.7937/ABC",
    "ThirdPartyAnalysis": "NO",
    "AFieldOfTomorrow": {"nested": [1]},
}


@pytest.fixture
def nbia(serve_http: Callable[[Any], str], patience: Patience) -> Iterator[Callable[[Any], NbiaArchive]]:
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(closing(NbiaArchive(serve_http(handler), patience=patience)))


@pytest.fixture
def scripted(answer: Any) -> Callable[..., Any]:
    """Return a handler that answers each endpoint with what the keywords say, JSON or bytes."""

    def script(**answers: Any) -> Any:
        def handler(path: str, query: dict[str, str]) -> Any:
            value = answers.get(path.strip("/").rpartition("/")[2], [])
            if callable(value):
                value = value(query)
            return answer(value if isinstance(value, bytes) else json.dumps(value).encode())

        return handler

    return script


def listing(**changes: Any) -> dict[str, Any]:
    return {"getCollectionValues": [{"Collection": "Brain Tumour/1"}], "getSeries": [{**SERIES, **changes}]}


def packed(files: dict[str, bytes], *, table_of: dict[str, bytes] | None = None, **extra: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        sums = "".join(f"{name},{hashlib.md5(data).hexdigest()}\n" for name, data in (table_of or files).items())
        archive.writestr("md5hashes.csv", "Filename,MD5Hash\n" + sums)
        for name, data in extra.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_series_and_collections_are_read_from_their_fields(
    nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]
) -> None:
    archive = nbia(scripted(**listing()))
    series, collections = archive.list_series(), archive.list_collections()
    assert dict(series.schema) == RAW_SERIES_SCHEMA
    assert dict(collections.schema) == RAW_COLLECTION_SCHEMA
    row = series.row(0, named=True)
    assert (row["dataset"], row["instances"], row["planned_images"], row["size_bytes"]) == ("Brain-Tumour-1", 2, 2, 100)
    assert (row["body_part_raw"], row["analysis_result"], row["modality_tag"]) == (None, False, "MR")
    collection = collections.row(0, named=True)
    assert (collection["title"], collection["doi"]) == ("Brain Tumour/1", "10.7937/abc")
    assert collection["first_release"] == "2024-01-02"


@pytest.mark.parametrize(("said", "meant"), [("YES", True), ("NO", False), (None, False)])
def test_third_party_analyses_are_marked(
    said: str | None, meant: bool, nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]
) -> None:
    assert nbia(scripted(**listing(ThirdPartyAnalysis=said))).list_series()["analysis_result"].to_list() == [meant]


def test_an_archive_without_collections_or_series_is_empty_and_says_so(
    nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]
) -> None:
    with pytest.raises(EmptyArchiveError, match="lists no collections"):
        nbia(scripted(getCollectionValues=b"")).list_series()
    with pytest.raises(EmptyArchiveError, match="no series in them"):
        nbia(scripted(getCollectionValues=[{"Collection": "A"}], getSeries=b"")).list_series()


@pytest.mark.parametrize(
    "answers",
    [
        {"getCollectionValues": [{"collection": "A"}]},
        {"getCollectionValues": [{"Collection": "A"}], "getSeries": [{"PatientID": "p"}]},
        {"getCollectionValues": [{"Collection": "///"}], "getSeries": [{"SeriesInstanceUID": "1.2"}]},
        {"getCollectionValues": b"<html>moved</html>"},
    ],
)
def test_listings_of_another_form_are_named(
    answers: dict[str, Any], nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]
) -> None:
    with pytest.raises(ArchiveAnswerError):
        nbia(scripted(**answers)).list_series()


def test_a_wrong_base_url_says_to_check_it(nbia: Callable[[Any], NbiaArchive], answer: Any) -> None:
    with pytest.raises(ArchiveAnswerError, match="check that the URL is that of the archive's interface"):
        nbia(lambda path, query: answer(b"not here", 404)).list_series()


def test_nobody_there_is_unreachable(patience: Patience) -> None:
    with (
        closing(NbiaArchive("http://127.0.0.1:9/", patience=patience)) as archive,
        pytest.raises(ArchiveUnreachableError, match="cannot be reached"),
    ):
        archive.version()


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (b"", SeriesNotFoundError, "empty body"),
        (b"<html>please log in</html>", DeliveryError, "came where a zip was due"),
        (packed({}), SeriesNotFoundError, "without images"),
        (packed({"1.dcm": b"x" * 900})[:-200], DeliveryError, "damaged or cut off"),
        (packed({"../1.dcm": b"x"}), UnsafeZipError, "leads outside"),
    ],
)
def test_a_delivery_that_is_none_is_named(
    body: bytes,
    error: type[Exception],
    says: str,
    nbia: Callable[[Any], NbiaArchive],
    scripted: Callable[..., Any],
    tmp_path: Path,
) -> None:
    archive = nbia(scripted(**listing(), getImageWithMD5Hash=body))
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(error, match=says):
        archive.fetch_series(archive.list_series().row(0, named=True), into, lambda amount: None)
    assert [path.name for path in tmp_path.iterdir()] == ["into"]


def test_a_zip_far_larger_than_the_catalogue_says_is_refused(
    nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any], tmp_path: Path
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.dcm", bytes(80 << 20))
    source = nbia(scripted(**listing(), getImageWithMD5Hash=bomb.getvalue()))
    with pytest.raises(UnsafeZipError, match="more than the"):
        source.fetch_series(source.list_series().row(0, named=True), tmp_path, lambda amount: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["md5", "count"])
def test_wrong_md5s_and_missing_instances_end_in_the_report(
    fault: str,
    nbia: Callable[[Any], NbiaArchive],
    scripted: Callable[..., Any],
    make_dicom: Callable[..., bytes],
    tmp_path: Path,
    patience: Patience,
) -> None:
    files = {f"{number}.dcm": make_dicom("1.2.1", number) for number in (1, 2)}
    body = packed({"1.dcm": files["1.dcm"]})
    if fault == "md5":
        body = packed(files, table_of={**files, "2.dcm": files["1.dcm"]})
    archive = nbia(scripted(**listing(), getImageWithMD5Hash=body))
    report = fetch_dataset(archive, archive.list_series(), tmp_path, run_id="x", max_missing_share=1, patience=patience)
    assert report.series_present == 0
    expected = "has MD5" if fault == "md5" else "1 instances arrived where the archive lists 2"
    assert expected in report.failures[0]["reason"]


def test_the_official_archive_is_asked_for_nlst_at_its_own_host() -> None:
    with closing(NbiaArchive()) as archive:
        assert {name: client.url.host for name, client in archive._own.items()} == {
            "NLST": "nlst.cancerimagingarchive.net"
        }
        assert archive._main.url.host == "nbia.cancerimagingarchive.net"
        assert str(archive._own["NLST"].url).endswith("/nbia-api/services/v4/")


def test_dates_are_sent_as_month_day_year(nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]) -> None:
    asked: list[dict[str, str]] = []
    nbia(scripted(getUpdatedSeries=lambda query: asked.append(query) or [])).version()
    assert asked == [{"fromDate": "01-01-1990"}]


def test_the_version_changes_when_a_series_is_updated(
    nbia: Callable[[Any], NbiaArchive], scripted: Callable[..., Any]
) -> None:
    updated: list[dict[str, str]] = [{"SeriesInstanceUID": "1.2.1"}]
    archive = nbia(scripted(**listing(), getUpdatedSeries=lambda query: updated))
    before = archive.version()
    assert archive.version() == before
    updated.append({"SeriesInstanceUID": "1.2.2"})
    assert archive.version() != before


@pytest.fixture
def content(tmp_path: Path, make_dicom: Callable[..., bytes]) -> Path:
    """Two collections of two series of three files, as the embedded server serves them."""
    root = tmp_path / "content"
    for number, collection in enumerate(("Alpha", "Beta"), 1):
        for series in (1, 2):
            folder = root / collection / f"{series}"
            folder.mkdir(parents=True)
            for instance in (1, 2, 3):
                data = make_dicom(f"1.2.{number}.{series}", instance, BodyPartExamined="CHEST")
                (folder / f"{instance}.dcm").write_bytes(data)
    return root


def test_everything_that_a_real_server_lists_arrives_verified(
    content: Path, tmp_path: Path, patience: Patience
) -> None:
    with running_server(content) as url, closing(NbiaArchive(url, patience=patience)) as archive:
        rows = archive.list_series()
        assert rows.height == 4
        assert rows["body_part_raw"].to_list() == ["CHEST"] * 4
        for (dataset,), part in rows.group_by("dataset"):
            report = fetch_dataset(archive, part, tmp_path / str(dataset), run_id="x", max_missing_share=0)
            assert (report.series_fetched, report.failures) == (2, [])
        assert archive.updated_series(archive_day()) != []
    stored = sorted(hashlib.md5(path.read_bytes()).hexdigest() for path in tmp_path.glob("[AB]*/*/*.dcm"))
    assert stored == sorted(hashlib.md5(path.read_bytes()).hexdigest() for path in content.rglob("*.dcm"))


def archive_day() -> Any:
    from datetime import date

    return date(2000, 1, 1)
