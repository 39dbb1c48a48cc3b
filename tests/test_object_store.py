"""A data root in an object store, on a loopback S3 server, as two machines see it."""

import json
import os
import threading
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from modality_assets.layout import DataLayout, data_root
from modality_assets.manifest import manifest_on_disk, mark_damaged, origins, read_manifest, whole, write_json
from modality_assets.object_store import ObjectStoreError, open_root
from modality_assets.results import Result, complete, make
from modality_assets.settings import DEMO, read_settings, write_settings

pytestmark = pytest.mark.s3


@pytest.fixture
def machine(results_bucket, tmp_path, monkeypatch):
    """A function that returns the layout of s3://results/root as a machine of that name sees it."""

    def named(name: str) -> DataLayout:
        monkeypatch.setenv("MODALITY_CACHE", str(tmp_path / name))
        layout = DataLayout(data_root("replica", "s3://results/root"))
        vars(origins[layout.root])["_trusted"].clear()  # as if two seconds had passed
        return layout

    return named


def _make(layout: DataLayout, pixels: bytes, inputs: int, *, dataset: str = "A") -> None:
    result = Result("decoded_images", dataset, layout.decoded(dataset), {"of": inputs}, "1")

    def build(staged: Path) -> dict[str, int]:
        (staged / "images.parquet").write_bytes(b"table of " + pixels)
        (staged / "pixels-00000.npy").write_bytes(pixels)
        return {"images": len(pixels)}

    make(result, build, run_id="test")


def _names(bucket: S3Store) -> list[str]:
    return sorted(item["path"] for page in obstore.list(bucket) for item in page)


def test_objects_have_the_names_that_files_have_below_a_local_root(machine, results_bucket):
    _make(machine("one"), b"pixels", 1)
    assert _names(results_bucket) == [
        f"root/decoded/A/{name}" for name in ("images.parquet", "manifest.json", "pixels-00000.npy")
    ]


def test_another_machine_sees_a_result_and_brings_its_pixels_when_they_are_asked_for(machine):
    _make(machine("one"), b"pixels", 1)
    layout = machine("two")
    assert layout.decoded_folders == [layout.decoded("A")]
    assert read_manifest(layout.decoded("A")).counts == {"images": 6}
    assert layout.images_table("A").read_bytes() == b"table of pixels"
    assert not (layout.decoded("A") / "pixels-00000.npy").exists()
    assert manifest_on_disk(layout.decoded("A")) is None
    assert (whole(layout.decoded("A")) / "pixels-00000.npy").read_bytes() == b"pixels"
    assert manifest_on_disk(layout.decoded("A")) == read_manifest(layout.decoded("A"))


def test_a_result_made_again_elsewhere_replaces_the_copy_and_its_pixels(machine):
    two = machine("two")
    _make(machine("one"), b"pixels", 1)
    whole(two.decoded("A"))
    _make(machine("one"), b"PIXELS", 2)
    machine("two")
    assert read_manifest(two.decoded("A")).input_hash != ""
    assert two.images_table("A").read_bytes() == b"table of PIXELS"
    assert not (two.decoded("A") / "pixels-00000.npy").exists()  # of the same length, and not the same
    assert (whole(two.decoded("A")) / "pixels-00000.npy").read_bytes() == b"PIXELS"


def test_what_is_not_in_the_store_any_more_is_not_there(machine, results_bucket):
    two = machine("two")
    _make(machine("one"), b"pixels", 1)
    assert complete(machine("two").decoded_folders)
    results_bucket.delete("root/decoded/A/manifest.json")
    assert not complete(machine("two").decoded_folders)
    assert read_manifest(two.decoded("A")) is None


def test_a_result_whose_upload_was_cut_off_is_there_nowhere(machine, results_bucket, monkeypatch):
    one = machine("one")
    _make(one, b"pixels", 1)

    class CutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise CutError

    monkeypatch.setattr(origins[one.root], "_put", cut)
    with pytest.raises(CutError):
        _make(one, b"PIXELS", 2)
    assert "root/decoded/A/manifest.json" not in _names(results_bucket)
    assert read_manifest(one.decoded("A")) is None
    assert read_manifest(machine("two").decoded("A")) is None
    monkeypatch.undo()


def test_bytes_that_are_not_those_of_the_manifest_are_not_believed(machine, results_bucket):
    _make(machine("one"), b"pixels", 1)
    results_bucket.put("root/decoded/A/images.parquet", b"rotten")
    assert read_manifest(machine("two").decoded("A")) is None


def test_source_files_come_whole_with_their_series_when_they_are_asked_for(machine):
    one = machine("one")
    series = Result("series", "1.2", one.source_series("A", "1.2"), {}, "1")
    make(series, lambda staged: {"files": (staged / "1.dcm").write_bytes(b"image")}, run_id="test")
    listed = {"1.2/1.dcm": manifest_on_disk(series.folder).files["1.dcm"]}
    described = json.loads((series.folder / "manifest.json").read_text()) | {"files": listed, "asset": "source_files"}
    write_json(one.source_files("A") / "manifest.json", described)
    two = machine("two")
    assert read_manifest(two.source_files("A")).asset == "source_files"
    assert not (two.source_files("A") / "1.2").exists()
    assert (whole(two.source_files("A")) / "1.2" / "1.dcm").read_bytes() == b"image"
    assert manifest_on_disk(two.source_series("A", "1.2")).asset == "series"


def test_settings_are_shared(machine):
    write_settings(machine("one").settings, DEMO.with_changes({"epochs": 3}))
    assert read_settings(machine("two").settings, DEMO).epochs == 3
    write_settings(machine("one").settings, DEMO.with_changes({"epochs": 4}))
    assert read_settings(machine("two").settings, DEMO).epochs == 4


def test_an_unchanged_result_costs_one_short_answer(machine, monkeypatch):
    layout = machine("one")
    _make(layout, b"pixels", 1)
    asked = []
    store = origins[layout.root]
    real = store._store

    class Counting:
        def __getattr__(self, name: str) -> object:
            asked.append(name)
            return getattr(real, name)

    monkeypatch.setattr(store, "_store", Counting())
    for _ in range(5):
        read_manifest(layout.decoded("A"))
    assert asked == []
    vars(store)["_trusted"].clear()
    read_manifest(layout.decoded("A"))
    assert asked == ["get"]


def test_two_at_once_bring_the_same_result_once_each_whole(machine):
    _make(machine("one"), b"x" * 1_000_000, 1)
    layout = machine("two")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(manifest_on_disk(whole(layout.decoded("A"))))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert None not in found


def test_pixels_that_nobody_used_for_long_leave_the_copy_and_come_back_when_asked_for(machine):
    layout = machine("one")
    _make(layout, b"pixels", 1)
    store, pixels = origins[layout.root], layout.decoded("A") / "pixels-00000.npy"
    now = (layout.root / ".origin/decoded/A/manifest.json").stat().st_mtime
    assert store.drop_unused(now - 60, dry_run=False) == 0
    assert store.drop_unused(now + 60, dry_run=True) == 6
    assert pixels.exists()
    assert store.drop_unused(now + 60, dry_run=False) == 6
    assert not pixels.exists()
    assert read_manifest(layout.decoded("A")) is not None
    assert whole(layout.decoded("A")).joinpath("pixels-00000.npy").read_bytes() == b"pixels"


def test_an_object_store_that_does_not_answer_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MODALITY_CACHE", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(ObjectStoreError, match="s3://bucket/prefix"):
        open_root("s3://")
    root = open_root("s3://nowhere/at/all")
    try:
        with pytest.raises(ObjectStoreError, match="s3://nowhere/at/all cannot be used"):
            read_manifest(DataLayout(root).catalogue)
    finally:
        del origins[root]


def test_a_local_root_asks_no_store(tmp_path):
    assert os.fspath(data_root("replica", tmp_path)) == os.fspath(tmp_path)
    assert tmp_path not in origins


def test_a_copy_that_was_found_damaged_is_brought_anew(machine):
    layout = machine("one")
    _make(layout, b"pixels", 1)
    pixels = layout.decoded("A") / "pixels-00000.npy"
    read_manifest(layout.decoded("A"))
    pixels.write_bytes(b"rotten")
    mark_damaged(pixels)
    assert (whole(layout.decoded("A")) / "pixels-00000.npy").read_bytes() == b"pixels"
