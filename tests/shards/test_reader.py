"""The reader: any rows in any order, and every damage by name."""

import json
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modality_assets.modality import ClassOrderError
from modality_assets.shards.index import DamagedShardError, ShardsMissingError, ShardVersionError
from modality_assets.shards.reader import ShardReader


@pytest.fixture(params=["raw", "compressed", "eight bits"])
def reader(request, three_datasets, make_shards):
    options = {"raw": {}, "compressed": {"compress": True}, "eight bits": {"bits": 8}}[request.param]
    return make_shards(three_datasets, **options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(rows=st.lists(st.integers(0, 60), max_size=80))
def test_any_rows_come_in_the_order_asked_for(reader, rows):
    everything = np.concatenate([images.copy() for _, images in reader.pieces(1000)])
    rows = np.array(rows, np.int64)
    out = np.zeros((len(rows), 8, 8), reader.index.dtype)
    assert (reader.gather(rows) == everything[rows]).all()
    assert reader.gather(rows, out) is out
    assert (out == everything[rows]).all()


def test_pieces_are_all_rows_in_order(reader):
    firsts, sizes = zip(*[(first, len(images)) for first, images in reader.pieces(300)], strict=True)
    assert list(firsts) == np.cumsum([0, *sizes[:-1]]).tolist()
    assert sum(sizes) == len(reader) == 61


@pytest.mark.parametrize("rows", [[-1], [61], [0, 1000]])
def test_a_row_that_is_not_there_is_refused(reader, rows):
    with pytest.raises(IndexError, match="rows 0 to 60"):
        reader.gather(np.array(rows))


def test_threads_may_gather_at_the_same_time(reader):
    wanted = reader.gather(np.arange(61))
    again = ShardReader(reader.folder)
    wrong = []

    def gather(seed: int) -> None:
        rows = np.random.default_rng(seed).permutation(61)
        wrong.extend(rows[(again.gather(rows) != wanted[rows]).any(axis=(1, 2))])

    threads = [threading.Thread(target=gather, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_healthy_shards_verify(reader):
    assert reader.verify() == []
    assert reader.verify(full=True) == []


@pytest.mark.parametrize("name", ["pixels-00001.npy", "affine.npy", "labels.npy", "datasets.npy", "provenance.npy"])
def test_a_shortened_or_missing_file_is_named_on_opening(three_datasets, make_shards, name):
    folder = make_shards(three_datasets).folder
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    mend = r"materialise rescaled_shards for image_range\|train again"
    with pytest.raises(DamagedShardError, match=f"{name}: has .* bytes, the index says .*{mend}"):
        ShardReader(folder)
    path.unlink()
    with pytest.raises(DamagedShardError, match=f"{name}: is missing.*{mend}"):
        ShardReader(folder)


def test_a_flipped_bit_is_found_by_full_verification_only(reader):
    path = reader.folder / reader.index.files[-1].name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert reader.verify() == []
    assert reader.verify(full=True) == [path.name]


def test_pixels_of_another_shape_are_named_when_they_are_needed(three_datasets, make_shards):
    reader = make_shards(three_datasets)
    path = reader.folder / "pixels-00000.npy"
    path.write_bytes(path.read_bytes().replace(b", 8, 8)", b", 4,16)"))
    with pytest.raises(DamagedShardError, match=r"pixels-00000.npy: is not an array of shape \(\d+, 8, 8\)"):
        ShardReader(reader.folder).gather(np.array([0]))


def test_a_compressed_row_that_cannot_be_restored_is_named(three_datasets, make_shards):
    reader = make_shards(three_datasets, compress=True)
    path = reader.folder / "pixels-00000.rows"
    data = bytearray(path.read_bytes())
    data[:16] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(DamagedShardError, match=r"pixels-00000.rows.*materialise"):
        ShardReader(reader.folder).gather(np.array([0]))


def test_a_table_of_rows_that_makes_no_sense_is_named(three_datasets, make_shards):
    reader = make_shards(three_datasets, compress=True)
    path = reader.folder / "pixels-00000.rows"
    data = bytearray(path.read_bytes())
    data[-8:] = (2**63).to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(DamagedShardError, match=r"pixels-00000.rows: its table of rows makes no sense"):
        ShardReader(reader.folder).gather(np.array([0]))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"classes": ["MR", "PT", "CT", "XR"]}, ClassOrderError, "MR"),
        ({"version": 99}, ShardVersionError, "99"),
        ({"images": 60}, DamagedShardError, "contradict"),
        ({"bits": 12}, DamagedShardError, "contradict"),
        (
            {"files": [{"name": "../../secret.npy", "rows": 61, "sha256": "", "bytes": 0}]},
            DamagedShardError,
            "contradict",
        ),
        ({"files": 5}, DamagedShardError, "not an index"),
        ({"shape": []}, DamagedShardError, "not an index"),
        ({"colour": "blue"}, DamagedShardError, "not an index"),
        ({"datasets": ["Alpha"]}, DamagedShardError, "datasets.npy"),
    ],
)
def test_an_index_that_is_wrong_is_refused(three_datasets, make_shards, change, error, words):
    folder = make_shards(three_datasets).folder
    values = json.loads((folder / "index.json").read_text()) | change
    (folder / "index.json").write_text(json.dumps(values))
    with pytest.raises(error, match=words):
        ShardReader(folder)


def test_no_shards_and_no_json_are_told_apart(tmp_path):
    folder = tmp_path / "image_range" / "test"
    folder.mkdir(parents=True)
    with pytest.raises(ShardsMissingError, match=r"materialise rescaled_shards for image_range\|test"):
        ShardReader(folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(DamagedShardError, match="cannot be read"):
        ShardReader(folder)


def test_reading_needs_neither_polars_nor_torch():
    import subprocess
    import sys

    code = (
        "import sys, modality_assets.shards.reader; "
        "print(sorted({'polars', 'torch', 'blosc2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
