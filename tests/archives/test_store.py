import errno
import json
import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modality_assets.archives import fetch_plan, store
from modality_assets.archives.archive import (
    ArchiveUnreachableError,
    Delivery,
    DeliveryError,
    DiskFullError,
    FileFacts,
    TooManySeriesMissingError,
)
from modality_assets.archives.http import Patience
from modality_assets.archives.memory import MemoryArchive
from modality_assets.archives.store import FetchReport, fetch_dataset, stored_files
from modality_assets.manifest import MANIFEST, read_manifest

MakeArchive = Callable[..., MemoryArchive]


@pytest.fixture
def fetch(tmp_path: Path, patience: Patience) -> Callable[..., FetchReport]:
    """Fetch everything an archive lists into ``tmp_path/source``; nothing may be missing unless said otherwise."""

    def fetch(archive: Any, **options: Any) -> FetchReport:
        settings: dict[str, Any] = {"run_id": "run", "max_missing_share": 0.0, "patience": patience, **options}
        rows = settings.pop("rows", None)
        rows = archive.list_series() if rows is None else rows
        return fetch_dataset(archive, rows, tmp_path / "source", **settings)

    return fetch


def test_every_series_is_published_with_its_manifest(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive(series=3, files=2)
    report = fetch(archive)
    assert (report.series_present, report.series_fetched, report.failures) == (3, 3, [])
    for uid, files in archive.contents.items():
        assert {path.name: path.read_bytes() for path in stored_files(tmp_path / "source", uid)} == files
        manifest = read_manifest(tmp_path / "source" / uid)
        assert manifest is not None
        assert manifest.content_hash == report.content[uid]
    assert report.bytes_fetched == archive.list_series()["size_bytes"].sum()


def test_what_is_there_is_not_fetched_again(memory_archive: MakeArchive, fetch: Callable[..., FetchReport]) -> None:
    archive = memory_archive()
    first = fetch(archive)
    archive.fetched.clear()
    second = fetch(archive)
    assert archive.fetched == []
    assert second.content == first.content
    assert (second.series_present, second.series_fetched, second.bytes_fetched) == (3, 0, 0)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def put_another_beside(path: Path) -> None:
    (path.parent / "another.dcm").write_bytes(b"")


def forget_the_manifest(path: Path) -> None:
    (path.parent / MANIFEST).unlink()


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink, put_another_beside, forget_the_manifest])
def test_a_damaged_series_heals_and_only_it_is_fetched(
    damage: Callable[[Path], None], memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive()
    before = fetch(archive)
    archive.fetched.clear()
    damage(tmp_path / "source" / "1.2.2" / "3.dcm")
    after = fetch(archive)
    assert archive.fetched == ["1.2.2"]
    assert after.content == before.content
    assert {path.name for path in (tmp_path / "source" / "1.2.2").iterdir()} == {MANIFEST, *archive.contents["1.2.2"]}


def test_a_revised_series_is_fetched_again(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], make_dicom: Callable[..., bytes]
) -> None:
    archive = memory_archive()
    before = fetch(archive)
    archive.fetched.clear()
    archive.contents["1.2.3"] = {"1.dcm": make_dicom("1.2.3", 7)}
    archive.series[2]["revised_release"] = "2"
    after = fetch(archive)
    assert archive.fetched == ["1.2.3"]
    assert after.content["1.2.3"] != before.content["1.2.3"]


def test_series_that_are_no_longer_wanted_stay_on_the_disk(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive()
    fetch(archive)
    report = fetch(archive, rows=archive.list_series().head(1))
    assert report.series_present == 1
    assert (tmp_path / "source" / "1.2.3").is_dir()


class Faulty(MemoryArchive):
    """Does to the first deliveries of a series what ``fault`` says."""

    def __init__(self, archive: MemoryArchive, fault: Callable[[Path, Delivery], Delivery], times: int = 1) -> None:
        super().__init__(archive.series, archive.contents)
        self.fault, self.times = fault, times

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        delivery = super().fetch_series(row, into, on_bytes)
        if row["series_uid"] == "1.2.1" and self.fetched.count("1.2.1") <= self.times:
            return self.fault(into, delivery)
        return delivery


def one_byte_is_wrong(into: Path, delivery: Delivery) -> Delivery:
    flip(into / "1.dcm")
    return delivery


def one_file_is_missing(into: Path, delivery: Delivery) -> Delivery:
    (into / "1.dcm").unlink()
    return Delivery({name: facts for name, facts in delivery.files.items() if name != "1.dcm"})


def one_file_was_announced_and_did_not_come(into: Path, delivery: Delivery) -> Delivery:
    (into / "1.dcm").unlink()
    return delivery


def one_file_is_short(into: Path, delivery: Delivery) -> Delivery:
    truncate(into / "1.dcm")
    return Delivery({name: FileFacts(facts.size_bytes) for name, facts in delivery.files.items()})


def sizes_do_not_add_up(into: Path, delivery: Delivery) -> Delivery:
    truncate(into / "1.dcm")
    return Delivery({name: FileFacts() for name in delivery.files})


def nothing_is_readable(into: Path, delivery: Delivery) -> Delivery:
    for name in delivery.files:
        size = (into / name).stat().st_size
        (into / name).write_bytes(b"<html>" + bytes(size - 6))
    return Delivery({name: FileFacts(facts.size_bytes) for name, facts in delivery.files.items()})


def nothing_came(into: Path, delivery: Delivery) -> Delivery:
    for name in delivery.files:
        (into / name).unlink()
    return Delivery({})


def the_connection_broke(into: Path, delivery: Delivery) -> Delivery:
    raise ArchiveUnreachableError("the connection broke")


FAULTS = [
    one_byte_is_wrong,
    one_file_is_missing,
    one_file_was_announced_and_did_not_come,
    one_file_is_short,
    sizes_do_not_add_up,
    nothing_is_readable,
    nothing_came,
    the_connection_broke,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_delivery_is_fetched_again_and_arrives(
    fault: Callable[[Path, Delivery], Delivery], memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    clean = memory_archive()
    archive = Faulty(clean, fault, times=2)
    report = fetch(archive)
    assert report.failures == []
    assert archive.fetched.count("1.2.1") == 3
    assert report.bytes_fetched == clean.list_series()["size_bytes"].sum(), "failed attempts do not count"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_series_that_keeps_failing_is_reported_and_does_not_stop_the_others(
    fault: Callable[[Path, Delivery], Delivery],
    memory_archive: MakeArchive,
    fetch: Callable[..., FetchReport],
    tmp_path: Path,
) -> None:
    report = fetch(Faulty(memory_archive(), fault, times=99), max_missing_share=0.5)
    assert sorted(report.content) == ["1.2.2", "1.2.3"]
    assert [failure["series_uid"] for failure in report.failures] == ["1.2.1"]
    assert report.failures[0]["reason"]
    assert sorted(path.name for path in (tmp_path / "source").iterdir()) == ["1.2.2", "1.2.3"]


def test_a_dataset_fails_when_more_than_the_stated_share_is_missing(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    with pytest.raises(TooManySeriesMissingError, match="1 of 3 series could not be fetched"):
        fetch(Faulty(memory_archive(), one_byte_is_wrong, times=99), max_missing_share=0.3)
    assert (tmp_path / "source" / "1.2.3" / MANIFEST).is_file(), "what arrived is kept"


def test_a_series_of_another_uid_is_never_stored(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], make_dicom: Callable[..., bytes]
) -> None:
    archive = memory_archive(series=2)
    archive.contents["1.2.1"] = {"1.dcm": make_dicom("6.6.6")}
    report = fetch(archive, max_missing_share=0.5)
    assert "belongs to series 6.6.6" in report.failures[0]["reason"]


def test_a_file_that_is_broken_in_the_archive_itself_is_stored_and_left_to_decoding(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive(series=1, files=2)
    archive.contents["1.2.1"]["2.dcm"] = b"not DICOM at all"
    assert fetch(archive).failures == []
    assert len(stored_files(tmp_path / "source", "1.2.1")) == 2


@pytest.mark.parametrize("uid", ["../1.2", "1.2/3", "1..2", "", "1.2\n", "1" * 65])
def test_a_uid_that_no_path_may_have_is_refused_by_name(
    uid: str, memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive(series=1)
    archive.series.append({"dataset": "some-dataset", "series_uid": uid})
    archive.contents[uid] = {"1.dcm": b"x"}
    report = fetch(archive, max_missing_share=0.5)
    assert [failure["error"] for failure in report.failures] == ["UnsafeNameError"]
    assert [path.name for path in (tmp_path / "source").iterdir()] == ["1.2.1"]
    assert archive.fetched == ["1.2.1"]


def test_a_fetch_that_will_not_fit_is_refused_before_anything_is_fetched(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    archive = memory_archive(series=1)
    archive.series[0]["size_bytes"] = 10**18
    with pytest.raises(DiskFullError, match="It will not fit"):
        fetch(archive)
    assert archive.fetched == []


def test_a_disk_that_fills_up_stops_the_fetch_and_keeps_what_is_there(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    class Full(MemoryArchive):
        def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
            if row["series_uid"] == "1.2.2":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().fetch_series(row, into, on_bytes)

    clean = memory_archive(series=3)
    with pytest.raises(DiskFullError, match="make room and start again"):
        fetch(Full(clean.series, clean.contents), workers=1, max_missing_share=1.0)
    assert (tmp_path / "source" / "1.2.1" / MANIFEST).is_file()
    assert fetch(clean).series_present == 3


def test_a_killed_fetch_leaves_nothing_half_visible_and_goes_on_where_it_was(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    class Killed(MemoryArchive):
        def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
            if row["series_uid"] == "1.2.2":
                (into / "half.dcm").write_bytes(b"half")
                raise KeyboardInterrupt
            return super().fetch_series(row, into, on_bytes)

    clean = memory_archive(series=3)
    with pytest.raises(KeyboardInterrupt):
        fetch(Killed(clean.series, clean.contents), workers=1)
    assert not (tmp_path / "source" / "1.2.2").exists()
    clean.fetched.clear()
    assert fetch(clean).series_present == 3
    assert "1.2.1" not in clean.fetched


def test_staging_left_by_a_process_that_is_gone_is_removed(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    left = tmp_path / "source" / ".staging-1.2.1.4194305-dead"
    left.mkdir(parents=True)
    fetch(memory_archive(series=1))
    assert not left.exists()


def test_no_more_series_are_fetched_at_once_than_there_are_workers(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    now, most, lock = 0, 0, threading.Lock()

    class Counting(MemoryArchive):
        def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            try:
                return super().fetch_series(row, into, on_bytes)
            finally:
                with lock:
                    now -= 1

    clean = memory_archive(series=20, files=1)
    fetch(Counting(clean.series, clean.contents), workers=3)
    assert 1 <= most <= 3


class Recorded:
    """Remembers every task and how far it came."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Any:
        record = {"description": description, "total": total, "unit": unit, "done": 0.0, "notes": []}
        self.tasks.append(record)

        class Task:
            def advance(self, amount: float = 1) -> None:
                record["done"] += amount

            def note(self, text: str) -> None:
                record["notes"].append(text)

        yield Task()


def test_progress_shows_bytes_and_series_and_says_beforehand_what_is_to_come(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    archive, progress = memory_archive(), Recorded()
    fetch(archive, progress=progress)
    done = {task["unit"]: (task["done"], task["total"]) for task in progress.tasks}
    size = archive.list_series()["size_bytes"].sum()
    assert done == {"B": (size, size), "series": (3, 3)}
    note = progress.tasks[0]["notes"][0]
    for said in ("GB", "12 images", "3 series", "min", "free"):
        assert said in note


def test_a_plan_counts_only_what_is_missing(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    archive = memory_archive()
    rows = archive.list_series()
    plan = fetch_plan.plan_fetch(rows, tmp_path / "source", bytes_per_second=1000)
    assert (plan.series, plan.images, plan.size_bytes) == (3, 12, rows["size_bytes"].sum())
    assert plan.expected_seconds == pytest.approx(plan.size_bytes / 1000, abs=0.1)
    assert plan.fits
    assert json.loads(json.dumps(plan.record()))["fits"] is True
    fetch(archive)
    assert fetch_plan.plan_fetch(rows, tmp_path / "source").series == 0


def test_series_without_a_size_are_estimated_and_the_plan_says_so(memory_archive: MakeArchive, tmp_path: Path) -> None:
    archive = memory_archive(series=1, files=4)
    archive.series[0]["size_bytes"] = None
    plan = fetch_plan.plan_fetch(archive.list_series(), tmp_path)
    assert plan.sizes_estimated == 1
    assert plan.size_bytes == 4 * fetch_plan.USUAL_BYTES_PER_INSTANCE
    assert plan.sentence().startswith("about ")


def test_raw_data_beside_its_header_file_is_stored_and_not_taken_for_an_image(
    fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    row = {"dataset": "d", "series_uid": "2.25.1", "format": "MetaImage", "instances": 1}
    archive = MemoryArchive([row], {"2.25.1": {"a.mhd": b"ElementDataFile = a.raw", "a.raw": bytes(8)}})
    fetch(archive)
    assert [path.name for path in stored_files(tmp_path / "source", "2.25.1")] == ["a.mhd"]
    assert (tmp_path / "source" / "2.25.1" / "a.raw").is_file()


def test_a_series_that_is_not_complete_has_no_stored_files(tmp_path: Path) -> None:
    (tmp_path / "1.2").mkdir()
    (tmp_path / "1.2" / "1.dcm").write_bytes(b"x")
    assert stored_files(tmp_path, "1.2") == []


def test_the_code_version_is_part_of_every_manifest(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport], tmp_path: Path
) -> None:
    fetch(memory_archive(series=1))
    manifest = read_manifest(tmp_path / "source" / "1.2.1")
    assert manifest is not None
    assert (manifest.code_version, manifest.run_id, manifest.asset) == (store.CODE_VERSION, "run", "source_files")


def test_an_error_nobody_expected_is_not_swallowed(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    class Wrong(MemoryArchive):
        def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
            raise ZeroDivisionError("a mistake in the code")

    clean = memory_archive(series=1)
    with pytest.raises(ZeroDivisionError):
        fetch(Wrong(clean.series, clean.contents), max_missing_share=1.0)


def test_errors_that_cannot_pass_are_not_tried_again(
    memory_archive: MakeArchive, fetch: Callable[..., FetchReport]
) -> None:
    archive = memory_archive(series=1)
    archive.series.append({"dataset": "some-dataset", "series_uid": "9.9", "instances": 1, "size_bytes": 1})
    report = fetch(archive, max_missing_share=0.5)
    assert archive.fetched.count("9.9") == 1
    assert report.failures[0]["error"] == "SeriesNotFoundError"
    assert DeliveryError.transient
