import contextlib
import hashlib
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import polars as pl
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from modality_assets.archives.archive import (
    ArchiveContentError,
    ArchiveUnreachableError,
    EmptyArchiveError,
    SeriesNotFoundError,
)
from modality_assets.archives.buckets import Buckets, promised_md5
from modality_assets.archives.http import Patience
from modality_assets.archives.idc import GCS_ENDPOINT, IdcArchive
from modality_assets.archives.idc_index import COLLECTIONS_FILE, PRIOR_FILE, SERIES_FILE, VERSIONS_FILE, IdcIndex
from modality_assets.archives.store import fetch_dataset, stored_files
from modality_assets.catalogue.series import RAW_COLLECTION_SCHEMA, RAW_SERIES_SCHEMA

UUIDS = {"1.2.1": "11111111-aaaa", "1.2.2": "22222222-bbbb"}


@pytest.fixture(scope="module")
def listed() -> pl.DataFrame:
    return IdcArchive().list_series()


@pytest.fixture(scope="module")
def collections() -> pl.DataFrame:
    return IdcArchive().list_collections()


def test_every_series_of_the_real_index_is_listed_and_counts_agree_with_another_reader(listed: pl.DataFrame) -> None:
    assert dict(listed.schema) == RAW_SERIES_SCHEMA
    index = pq.read_table(
        IdcIndex().folder / SERIES_FILE, columns=["collection_id", "Modality", "instanceCount", "series_size_MB"]
    ).to_pydict()
    assert listed.height == len(index["collection_id"])
    assert listed["instances"].sum() == sum(index["instanceCount"])
    assert listed["dataset"].n_unique() == len(set(index["collection_id"]))
    assert dict(listed["modality_tag"].value_counts().iter_rows()) == Counter(index["Modality"])
    assert listed["size_bytes"].sum() == pytest.approx(1e6 * sum(index["series_size_MB"]), rel=1e-6)


def test_a_series_of_the_real_index_says_where_its_objects_lie(listed: pl.DataFrame) -> None:
    row = listed.filter(dataset="lidc_idri", modality_tag="CT").row(0, named=True)
    bucket, _, uuid = row["archive_ref"].partition("/")
    assert bucket.startswith("idc-open-data")
    assert len(uuid) == 36
    assert (row["first_release"], row["format"], row["analysis_result"]) == ("1", "DICOM", False)


def test_collections_have_the_doi_of_their_images_and_withdrawn_ones_are_marked(collections: pl.DataFrame) -> None:
    assert dict(collections.schema) == RAW_COLLECTION_SCHEMA
    by_name = {row["dataset"]: row for row in collections.iter_rows(named=True)}
    assert by_name["tcga_luad"]["doi"] == "10.7937/k9/tcia.2016.jgnihep5"
    assert by_name["cmb_ov"]["doi"] == "10.7937/4nx6-e061"
    assert by_name["4d_lung"]["tumour_locations"] == "Lung"
    assert by_name["4d_lung"]["licences"] == "CC BY 3.0"
    assert [name for name, row in by_name.items() if row["retired"]] == sorted(
        ["apollo", "apollo_5_esca", "apollo_5_lscc", "apollo_5_luad", "apollo_5_paad", "apollo_5_thym"]
    )


def test_no_row_is_dropped_or_doubled(listed: pl.DataFrame, collections: pl.DataFrame) -> None:
    assert listed["series_uid"].n_unique() == listed.height
    assert collections["dataset"].n_unique() == collections.height
    assert set(listed["dataset"]) == set(collections.filter(~pl.col("retired"))["dataset"])


def test_the_version_names_the_index_package() -> None:
    assert IdcArchive().version().startswith("idc-index-data 25")


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"\x00" * 100])
def test_an_index_that_is_corrupt_says_how_to_mend_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / SERIES_FILE).write_bytes(content)
    with pytest.raises(ArchiveContentError, match="install idc-index-data again"):
        IdcArchive(index=IdcIndex(tmp_path)).list_series()


def test_an_index_that_is_missing_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(ArchiveContentError, match="install idc-index-data again"):
        IdcArchive(index=IdcIndex(tmp_path)).list_collections()


@pytest.fixture
def files(make_dicom: Callable[..., bytes]) -> dict[str, dict[str, bytes]]:
    """Object name to bytes for two series, laid out as in the public bucket."""
    return {
        uid: {f"{UUIDS[uid]}/instance-{number}.dcm": make_dicom(uid, number) for number in range(1, 6)} for uid in UUIDS
    }


@pytest.fixture
def small_index(tmp_path: Path, files: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> IdcIndex:
    """An index of these two series, of the very columns of the real one."""
    folder = tmp_path / "index"
    folder.mkdir()
    real = IdcIndex()
    two = pl.scan_parquet(real.folder / SERIES_FILE).head(2).collect()
    two = two.with_columns(
        SeriesInstanceUID=pl.Series(list(UUIDS)),
        crdc_series_uuid=pl.Series(list(UUIDS.values())),
        aws_bucket=pl.lit("idc-open-data"),
        instanceCount=pl.Series([5, 5]),
        series_size_MB=pl.Series([sum(map(len, files[uid].values())) / 1e6 for uid in UUIDS]),
    )
    two.write_parquet(folder / SERIES_FILE)
    pl.scan_parquet(real.folder / PRIOR_FILE).head(0).collect().write_parquet(folder / PRIOR_FILE)
    real.collections().filter(collection_id=two["collection_id"][0]).write_parquet(folder / COLLECTIONS_FILE)
    real.releases().write_parquet(folder / VERSIONS_FILE)
    monkeypatch.setenv("MODALITY_IDC_INDEX", str(folder))
    return IdcIndex()


def test_another_index_can_be_named_and_its_version_follows_its_files(small_index: IdcIndex) -> None:
    archive = IdcArchive()
    assert archive.list_series()["series_uid"].to_list() == list(UUIDS)
    assert archive.version().startswith("idc-index ")
    before = archive.version()
    pl.read_parquet(small_index.folder / SERIES_FILE).head(1).write_parquet(small_index.folder / SERIES_FILE)
    assert archive.version() != before


def test_an_index_without_series_is_empty(small_index: IdcIndex) -> None:
    small_index.series().clear().write_parquet(small_index.folder / SERIES_FILE)
    with pytest.raises(EmptyArchiveError):
        IdcArchive().list_series()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, files: dict[str, dict[str, bytes]]) -> Any:
    """The owner's side of a public bucket with the two series in it."""
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/moto-api/reset", method="POST")).close()
    client = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    client.create_bucket(Bucket="idc-open-data", ACL="public-read")
    for objects in files.values():
        for name, data in objects.items():
            client.put_object(Bucket="idc-open-data", Key=name, Body=data, ACL="public-read")
    yield client
    client.close()


@pytest.fixture
def s3(s3_server: str, bucket: Any) -> str:
    """The public's side: an endpoint that is asked without a signature."""
    return s3_server


@pytest.mark.s3
def test_series_are_fetched_unsigned_from_a_bucket_and_verified(
    s3: str, small_index: IdcIndex, files: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with closing(IdcArchive(s3)) as archive:
        rows = archive.list_series()
        report = fetch_dataset(archive, rows, store, run_id="x", max_missing_share=0)
        again = fetch_dataset(archive, rows, store, run_id="x", max_missing_share=0)
    assert (report.series_fetched, report.failures, again.series_fetched) == (2, [], 0)
    assert report.bytes_fetched == sum(len(data) for objects in files.values() for data in objects.values())
    for uid, objects in files.items():
        assert sorted(path.read_bytes() for path in stored_files(store, uid)) == sorted(objects.values())


@pytest.mark.s3
def test_etags_are_promised_as_md5s(s3: str, small_index: IdcIndex, tmp_path: Path) -> None:
    with closing(IdcArchive(s3)) as archive:
        row = archive.list_series().row(0, named=True)
        delivery = archive.fetch_series(row, tmp_path, lambda amount: None)
    for name, facts in delivery.files.items():
        assert facts.md5 == hashlib.md5((tmp_path / name).read_bytes()).hexdigest()


@pytest.mark.s3
def test_a_series_that_is_no_longer_in_the_bucket_is_not_found(s3: str, small_index: IdcIndex, tmp_path: Path) -> None:
    with closing(IdcArchive(s3)) as archive:
        row = {**archive.list_series().row(0, named=True), "archive_ref": "idc-open-data/33333333-cccc"}
        with pytest.raises(SeriesNotFoundError, match="holds no objects"):
            archive.fetch_series(row, tmp_path, lambda amount: None)


@pytest.mark.s3
def test_an_instance_that_is_missing_from_the_bucket_is_noticed(
    s3: str, bucket: Any, small_index: IdcIndex, tmp_path: Path, patience: Patience
) -> None:
    bucket.delete_object(Bucket="idc-open-data", Key=f"{UUIDS['1.2.1']}/instance-3.dcm")
    with closing(IdcArchive(s3)) as archive:
        report = fetch_dataset(
            archive, archive.list_series(), tmp_path / "store", run_id="x", max_missing_share=0.5, patience=patience
        )
    assert [failure["reason"] for failure in report.failures] == [
        "series 1.2.1: 4 instances arrived where the archive lists 5"
    ]


def test_a_bucket_nobody_serves_is_unreachable(tmp_path: Path) -> None:
    buckets = Buckets("http://127.0.0.1:9")
    with contextlib.closing(buckets), pytest.raises(ArchiveUnreachableError, match="cannot be fetched"):
        buckets.fetch_folder("idc-open-data", "x", tmp_path, lambda amount: None)


def test_google_s_buckets_have_other_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []
    archive = IdcArchive(GCS_ENDPOINT)
    monkeypatch.setattr(archive._buckets, "fetch_folder", lambda bucket, prefix, *rest: asked.append(bucket))
    for bucket in ("idc-open-data", "idc-open-data-two", "idc-open-data-cr"):
        archive.fetch_series({"archive_ref": f"{bucket}/uuid"}, tmp_path, lambda amount: None)
    assert asked == ["idc-open-data", "idc-open-idc1", "idc-open-cr"]
    archive.close()


def test_an_etag_of_parts_promises_an_md5_when_a_usual_part_size_fits(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096 * 17  # 17 MiB: three parts of 8 MiB
    path = tmp_path / "object"
    path.write_bytes(data)
    parts = [hashlib.md5(data[start : start + (8 << 20)]).digest() for start in range(0, len(data), 8 << 20)]
    etag = f'"{hashlib.md5(b"".join(parts)).hexdigest()}-3"'
    assert promised_md5(etag, path) == hashlib.md5(data).hexdigest()
    path.write_bytes(data[:-1] + b"!")
    assert promised_md5(etag, path) is None


@pytest.mark.parametrize("etag", [None, "", '"abc"', '"' + "z" * 32 + '"', '"' + "0" * 32 + '-x"'])
def test_an_etag_that_is_no_md5_promises_nothing(etag: str | None, tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(b"x")
    assert promised_md5(etag, path) is None
