"""The server as a client sees it that was written from the documented interface alone."""

import csv
import hashlib
import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from modality_assets.archives.replica.phantoms.datasets import DATASETS
from modality_assets.archives.replica.phantoms.generate import revised_folders
from modality_assets.archives.replica.releases import set_release
from modality_assets.archives.replica.server import ServerStartError, create_app, running_server, serve

REVISED, WITHDRAWN, LATER = "phantom-glioma-mr", "phantom-hand-cr", "phantom-mammography"


class Client:
    """What a user of NBIA writes in an afternoon."""

    def __init__(self, base: str) -> None:
        self.http = httpx.Client(base_url=base, timeout=30, trust_env=False)

    def rows(self, endpoint: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self.http.get(endpoint, params=parameters)
        answer.raise_for_status()
        return answer.json() if answer.content.strip() else []

    def zip(self, endpoint: str, **parameters: str) -> zipfile.ZipFile:
        answer = self.http.get(endpoint, params=parameters)
        answer.raise_for_status()
        return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    client = Client(url)
    yield client
    client.http.close()


def test_the_url_is_that_of_the_interface_in_version_4(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/nbia-api/services/v4/")


def test_collections_are_those_of_the_release(client: Client) -> None:
    assert client.rows("getCollectionValues") == [{"Collection": REVISED}, {"Collection": WITHDRAWN}]


def test_a_client_of_an_older_version_finds_the_same(client: Client, url: str) -> None:
    for version in ("v1", "v2"):
        answer = client.http.get(url.replace("v4", version) + "getCollectionValues", params={"format": "json"})
        assert answer.json() == client.rows("getCollectionValues")


def test_series_have_the_fields_of_the_interface_and_leave_out_what_is_absent(client: Client) -> None:
    rows = client.rows("getSeries", Collection=WITHDRAWN)
    assert len(rows) == 2
    row = rows[0]
    assert row["Modality"] == "CR"
    assert row["BodyPartExamined"] == "HAND"
    assert row["LicenseName"].startswith("CC0")
    assert row["ThirdPartyAnalysis"] == "NO"
    assert row["DateReleased"].startswith("2025-03-03")
    assert row["ImageCount"] == 1
    assert "CollectionURI" not in row
    assert isinstance(row["FileSize"], int)


@pytest.mark.parametrize(
    ("field", "value", "count"),
    [
        ("Collection", REVISED, 9),
        ("PatientID", "glioma-mr-001", 5),
        ("Modality", "CR", 2),
        ("BodyPartExamined", "BRAIN", 9),
        ("Manufacturer", "Northfield (synthetic)", 11),
        ("ManufacturerModelName", "no such model", 0),
        ("Modality", "", 11),  # an empty parameter is none
    ],
)
def test_every_parameter_of_get_series_filters(client: Client, field: str, value: str, count: int) -> None:
    assert len(client.rows("getSeries", **{field: value})) == count


def test_parameters_join_with_and(client: Client) -> None:
    assert client.rows("getSeries", Collection=REVISED, Modality="CR") == []
    study = client.rows("getSeries", PatientID="glioma-mr-002")[0]
    found = client.rows(
        "getSeries", StudyInstanceUID=study["StudyInstanceUID"], SeriesInstanceUID=study["SeriesInstanceUID"]
    )
    assert found == [study]


def test_no_rows_are_an_empty_body(client: Client) -> None:
    answer = client.http.get("getSeries", params={"Collection": "nowhere"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_values_and_counts_count_patients(client: Client) -> None:
    assert client.rows("getModalityValues", Collection=REVISED) == [{"Modality": "MR"}]
    assert client.rows("getBodyPartValues", Modality="CR") == [{"BodyPartExamined": "HAND"}]
    assert client.rows("getManufacturerValues") == [{"Manufacturer": "Northfield (synthetic)"}]
    assert client.rows("getCollectionValuesAndCounts") == [
        {"criteria": REVISED, "count": "2"},
        {"criteria": WITHDRAWN, "count": "1"},
    ]
    assert client.rows("getModalityValuesAndCounts", Collection=REVISED) == [{"criteria": "MR", "count": "2"}]
    assert client.rows("getBodyPartValuesAndCounts", Modality="CR") == [{"criteria": "HAND", "count": "1"}]
    assert client.rows("getManufacturerValuesAndCounts") == [{"criteria": "Northfield (synthetic)", "count": "3"}]


def test_patients_and_studies_are_listed_once(client: Client) -> None:
    assert [row["PatientId"] for row in client.rows("getPatient", Collection=REVISED)] == [
        "glioma-mr-001",
        "glioma-mr-002",
    ]
    assert len(client.rows("getPatientByCollectionAndModality", Collection=REVISED, Modality="MR")) == 2
    studies = client.rows("getPatientStudy", Collection=REVISED)
    assert [study["SeriesCount"] for study in studies] == [5, 4]


def test_descriptions_say_that_phantoms_are_synthetic(client: Client) -> None:
    rows = client.rows("getCollectionDescriptions")
    assert [row["collectionName"] for row in rows] == [REVISED, WITHDRAWN]
    assert "Synthetic" in rows[0]["description"]


def test_metadata_come_as_csv_with_spaced_names(client: Client) -> None:
    wanted = [row["SeriesInstanceUID"] for row in client.rows("getSeries", Collection=WITHDRAWN)]
    answer = client.http.post("getSeriesMetadata", data={"list": ",".join([*wanted, "1.2.3"])})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["Series Instance UID"] for row in rows] == wanted
    needed = {
        "Patient ID", "Study Instance UID", "Series Instance UID", "Study Date", "Series Date", "Image Count",
        "File Size", "Date Released", "Body Part Examined", "Series Description", "Manufacturer Model Name",
        "Software Versions", "License Name", "License URI", "Collection URI", "Collection", "Modality", "Manufacturer",
    }  # fmt: skip
    assert needed <= rows[0].keys()
    assert client.http.post("getSeriesMetadata", data={"list": "1.2.3"}).content == b""
    assert client.http.post("getSeriesMetadata").status_code == 400


def test_lists_come_as_csv_where_asked_for(client: Client) -> None:
    answer = client.http.get("getCollectionValues", params={"format": "csv"})
    assert answer.text == f"Collection\n{REVISED}\n{WITHDRAWN}\n"
    assert client.http.get("getCollectionValues", headers={"Accept": "text/csv"}).text == answer.text


def test_a_series_says_its_size_and_its_instances(client: Client) -> None:
    row = client.rows("getSeries", PatientID="glioma-mr-001")[0]
    uid = row["SeriesInstanceUID"]
    assert client.rows("getSeriesSize", SeriesInstanceUID=uid) == [
        {"TotalSizeInBytes": row["FileSize"], "ObjectCount": row["ImageCount"]}
    ]
    assert len(client.rows("getSOPInstanceUIDs", SeriesInstanceUID=uid)) == row["ImageCount"]


def test_a_zip_holds_the_files_as_they_are_with_their_md5s(client: Client, archive: Path) -> None:
    row = next(r for r in client.rows("getSeries", PatientID="glioma-mr-001") if r["ImageCount"] == 4)
    got = client.zip("getImageWithMD5Hash", SeriesInstanceUID=row["SeriesInstanceUID"])
    names = [name for name in got.namelist() if name.endswith(".dcm")]
    assert got.namelist() == [*names, "LICENSE", "md5hashes.csv"]
    sums = list(csv.DictReader(io.StringIO(got.read("md5hashes.csv").decode())))
    assert {line["Filename"]: line["MD5Hash"] for line in sums} == {
        name: hashlib.md5(got.read(name)).hexdigest() for name in names
    }
    on_disk = {hashlib.md5(path.read_bytes()).hexdigest() for path in (archive / "files").rglob("*.dcm")}
    assert {line["MD5Hash"] for line in sums} <= on_disk
    assert sum(len(got.read(name)) for name in names) == row["FileSize"]


def test_new_file_names_are_those_of_the_instance_numbers(client: Client) -> None:
    row = next(r for r in client.rows("getSeries", PatientID="glioma-mr-001") if r["ImageCount"] == 4)
    got = client.zip("getImage", NewFileNames="Yes", SeriesInstanceUID=row["SeriesInstanceUID"])
    assert got.namelist() == ["1-01.dcm", "1-02.dcm", "1-03.dcm", "1-04.dcm", "LICENSE"]
    for number in range(1, 5):
        with got.open(f"1-{number:02d}.dcm") as file:
            assert pydicom.dcmread(io.BytesIO(file.read())).InstanceNumber == number


def test_a_single_image_is_its_file(client: Client) -> None:
    uid = client.rows("getSeries", Collection=WITHDRAWN)[0]["SeriesInstanceUID"]
    sop = client.rows("getSOPInstanceUIDs", SeriesInstanceUID=uid)[0]["SOPInstanceUID"]
    answer = client.http.get("getSingleImage", params={"SeriesInstanceUID": uid, "SOPInstanceUID": sop})
    assert str(pydicom.dcmread(io.BytesIO(answer.content)).SOPInstanceUID) == sop
    wrong = client.http.get("getSingleImage", params={"SeriesInstanceUID": uid, "SOPInstanceUID": "1.2"})
    assert wrong.status_code == 400


def test_the_header_of_a_series_is_listed_element_by_element(client: Client) -> None:
    row = client.rows("getSeries", Collection=WITHDRAWN)[0]
    rows = client.rows("getDicomTags", SeriesUID=row["SeriesInstanceUID"])
    found = {tag["element"]: (tag["name"], tag["data"]) for tag in rows}
    assert found["(0008,0060)"] == ("Modality", row["Modality"])
    assert found["(0020,000E)"][1] == row["SeriesInstanceUID"]
    assert "(7FE0,0010)" not in found
    assert client.http.get("getDicomTags").status_code == 400


@pytest.mark.parametrize("endpoint", ["getImage", "getImageWithMD5Hash", "getSingleImage", "getSeriesSize"])
def test_a_missing_parameter_is_named(client: Client, endpoint: str) -> None:
    answer = client.http.get(endpoint)
    assert answer.status_code == 400
    assert "SeriesInstanceUID" in answer.text


def test_an_unknown_series_is_refused(client: Client) -> None:
    answer = client.http.get("getImage", params={"SeriesInstanceUID": "1.2.3"})
    assert answer.status_code == 400
    assert "1.2.3" in answer.text


@pytest.mark.parametrize("form", ["09-01-2025", "2025/09/01", "09/01/2025", "2025-09-01"])
def test_updates_since_a_day_are_found_in_every_way_of_writing_it(client: Client, archive: Path, form: str) -> None:
    set_release(archive, 2)
    assert {row["Collection"] for row in client.rows("getUpdatedSeries", fromDate=form)} == {LATER}
    assert len(client.rows("NewPatientsInCollection", Collection=LATER, fromDate=form)) == 1
    assert client.rows("NewPatientsInCollection", Collection=REVISED, fromDate=form) == []


def test_a_day_that_nobody_can_read_is_refused(client: Client) -> None:
    answer = client.http.get("getUpdatedSeries", params={"fromDate": "yesterday"})
    assert answer.status_code == 400
    assert "yesterday" in answer.text


def test_a_running_server_moves_to_the_next_release(client: Client, archive: Path) -> None:
    uid, _, _ = revised_folders(next(dataset for dataset in DATASETS if dataset.name == REVISED))
    before = client.rows("getSeries", SeriesInstanceUID=uid)[0]
    set_release(archive, 2)
    assert [row["Collection"] for row in client.rows("getCollectionValues")] == [REVISED, WITHDRAWN, LATER]
    assert client.rows("getSeries", SeriesInstanceUID=uid) == [before]
    gone = client.rows("getSeries", Collection=WITHDRAWN)[0]["SeriesInstanceUID"]
    set_release(archive, 3)
    assert [row["Collection"] for row in client.rows("getCollectionValues")] == [REVISED, LATER]
    after = client.rows("getSeries", SeriesInstanceUID=uid)[0]
    assert after["ImageCount"] == before["ImageCount"] + 2
    assert after["DateReleased"] == before["DateReleased"]
    assert after["TimeStamp"].startswith("2026-03-02")
    assert [row["SeriesInstanceUID"] for row in client.rows("getUpdatedSeries", fromDate="01-01-2026")] == [uid]
    assert client.http.get("getImage", params={"SeriesInstanceUID": gone}).status_code == 400


def test_a_release_that_does_not_exist_is_an_error_that_says_what_to_do(client: Client, archive: Path) -> None:
    (archive / "release").write_text("nine\n")
    answer = client.http.get("getSeries")
    assert answer.status_code == 500
    assert "write one of the releases 1, 2, 3" in answer.text


def test_a_plain_folder_is_served_whole_with_folders_as_collections(one_patient_each: dict[str, Path]) -> None:
    folder = one_patient_each["phantom-knee"].parent
    with running_server(folder) as base:
        client = Client(base)
        assert {row["Collection"] for row in client.rows("getCollectionValues")} == set(one_patient_each)
        rows = client.rows("getSeries", Collection="phantom-knee")
        assert "LicenseName" not in rows[0]
        assert rows[0]["DateReleased"][:4] >= "2024"
        client.http.close()
    assert not list(folder.glob("*.json")) + list(folder.glob(".*"))  # no traces in a folder that is not ours


def test_files_that_come_later_are_served_without_a_restart(
    archive: Path, one_patient_each: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modality_assets.archives.replica.index._LOOK_SECONDS", 0.0)
    with running_server(archive) as base:
        client = Client(base)
        assert len(client.rows("getCollectionValues")) == 2
        one_patient_each["phantom-knee"].rename(archive / "files" / "phantom-knee")
        try:
            assert len(client.rows("getCollectionValues")) == 3
        finally:
            (archive / "files" / "phantom-knee").rename(one_patient_each["phantom-knee"])
        client.http.close()


def test_a_folder_that_is_none_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        create_app(Path("/nowhere/at/all"))


def test_a_port_that_is_taken_is_named(archive: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerStartError, match=f"{port}.*choose another port"), running_server(archive, port):
            pass


def test_serving_writes_where_it_serves(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[Any] = []
    made = __import__("modality_assets.archives.replica.server", fromlist=["_server"])
    real = made._server

    def remembered(app: Any) -> Any:
        servers.append(real(app))
        return servers[-1]

    monkeypatch.setattr(made, "_server", remembered)
    thread = threading.Thread(target=serve, args=(archive, 0))
    thread.start()
    file = archive / "server.json"
    deadline = time.monotonic() + 20
    while not (servers and servers[0].started) and time.monotonic() < deadline:
        time.sleep(0.01)
    base = json.loads(file.read_text())["url"]
    assert httpx.get(base + "getCollectionValues", trust_env=False).status_code == 200
    servers[0].should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    assert not file.exists()
