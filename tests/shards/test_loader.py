"""The loader: the right values, each epoch the same anywhere, resumable, divisible, and leaving nothing behind."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modality_assets.shards.index import DamagedShardError
from modality_assets.shards.loader import Loader


@pytest.fixture
def reader(three_datasets, make_shards):
    return make_shards(three_datasets)


def reference(reader, rows):
    """Return (n, 1, H, W) float64 rescaled values."""
    affine = reader.affine[rows].astype(np.float64)[:, :, None, None]
    values = affine[:, :1] * reader.gather(rows)[:, None] / reader.index.levels + affine[:, 1:]
    return np.clip(values, 0, 1) if reader.index.clip else values


def rows_of(loader):
    return [tuple(batch.rows.tolist()) for batch in loader]


@pytest.mark.parametrize("rescaling", ["image_range", "dtype_range", "percentile"])
@pytest.mark.parametrize("options", [{}, {"bits": 8}, {"compress": True}])
@pytest.mark.parametrize("resident", [False, True])
def test_batches_hold_the_rescaled_images_and_their_labels(three_datasets, make_shards, rescaling, options, resident):
    reader = make_shards(three_datasets, f"{rescaling}/train", **options)
    seen = []
    for batch in Loader(reader, 16, seed=3, resident=resident):
        rows = batch.rows.numpy()
        assert batch.images.dtype == torch.float32
        assert batch.images.shape == (len(rows), 1, 8, 8)
        assert batch.labels.dtype == batch.rows.dtype == torch.int64
        np.testing.assert_allclose(batch.images.numpy(), reference(reader, rows), atol=2e-6)
        assert (batch.labels.numpy() == reader.labels[rows]).all()
        seen += rows.tolist()
    assert sorted(seen) == list(range(61))
    assert seen != sorted(seen)


def test_resident_and_streamed_batches_are_equal_to_the_last_bit(reader):
    for one, other in zip(Loader(reader, 7, resident=True), Loader(reader, 7, resident=False), strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.rows, other.rows)


def test_without_shuffling_rows_come_in_order(reader):
    assert [row for rows in rows_of(Loader(reader, 9, shuffle=False)) for row in rows] == list(range(61))


def test_an_epoch_repeats_and_the_next_differs(reader):
    assert rows_of(Loader(reader, 8, seed=1, epoch=2)) == rows_of(Loader(reader, 8, seed=1, epoch=2))
    assert rows_of(Loader(reader, 8, seed=1, epoch=2)) != rows_of(Loader(reader, 8, seed=1, epoch=3))
    assert rows_of(Loader(reader, 8, seed=1, epoch=2)) != rows_of(Loader(reader, 8, seed=2, epoch=2))


anything = {
    "batch_size": st.integers(1, 70),
    "world_size": st.integers(1, 5),
    "balance": st.sampled_from(["none", "class", "dataset", "class_dataset"]),
    "window_bytes": st.sampled_from([1, 1000, 1 << 30]),
    "resident": st.booleans(),
}
within_a_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@within_a_test
@given(**anything)
def test_the_ranks_partition_the_epoch_and_share_the_same_global_batches(
    reader, batch_size, world_size, balance, window_bytes, resident
):
    options = {"balance": balance, "window_bytes": window_bytes, "resident": resident}
    whole = Loader(reader, batch_size * world_size, **options)
    ranks = [
        rows_of(Loader(reader, batch_size, rank=rank, world_size=world_size, **options)) for rank in range(world_size)
    ]
    for number, rows in enumerate(rows_of(whole)):
        parts = [batches[number] for batches in ranks if number < len(batches)]
        assert sorted(row for part in parts for row in part) == sorted(rows)
    assert sum(len(rows) for batches in ranks for rows in batches) == 61


@within_a_test
@given(start=st.integers(0, 70), **anything)
def test_a_resumed_epoch_goes_on_as_if_it_had_not_been_interrupted(
    reader, start, batch_size, world_size, balance, window_bytes, resident
):
    options = {
        "seed": 5,
        "epoch": 1,
        "rank": world_size - 1,
        "world_size": world_size,
        "balance": balance,
        "window_bytes": window_bytes,
        "resident": resident,
    }
    whole = [(batch.rows.tolist(), batch.images.clone()) for batch in Loader(reader, batch_size, **options)]
    resumed = Loader(reader, batch_size, start_batch=start, **options)
    rest = [(batch.rows.tolist(), batch.images.clone()) for batch in resumed]
    assert len(rest) == len(resumed) == max(0, len(whole) - start)
    for (rows, images), (wanted_rows, wanted_images) in zip(rest, whole[start:], strict=True):
        assert rows == wanted_rows
        assert torch.equal(images, wanted_images)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_dropping_the_last_gives_every_rank_as_many_full_batches(reader, world_size):
    batches = [
        rows_of(Loader(reader, 8, rank=rank, world_size=world_size, drop_last=True)) for rank in range(world_size)
    ]
    assert {len(one) for one in batches} == {61 // (8 * world_size)}
    assert all(len(rows) == 8 for one in batches for rows in one)


def test_batches_that_are_kept_are_not_overwritten(reader):
    kept = list(Loader(reader, 4))
    views = [batch.images[1:2, 0] for batch in kept[:-1]]
    for batch in kept:
        np.testing.assert_allclose(batch.images.numpy(), reference(reader, batch.rows.numpy()), atol=2e-6)
    rows = [batch.rows.numpy()[1:2] for batch in kept[:-1]]
    del kept, batch
    for _ in Loader(reader, 4):
        pass
    for view, row in zip(views, rows, strict=True):
        np.testing.assert_allclose(view.numpy(), reference(reader, row)[:, 0], atol=2e-6)


def test_batches_that_are_let_go_use_the_same_memory_again(reader):
    places = {batch.images.data_ptr() for batch in Loader(reader, 1)}
    assert len(places) <= 8


def test_an_epoch_left_early_leaves_no_thread(reader):
    before = threading.active_count()
    for batch in Loader(reader, 2):
        assert len(batch.rows) == 2
        break
    del batch
    assert threading.active_count() == before


def test_waiting_is_measured(reader):
    loader = Loader(reader, 8)
    assert loader.waiting_seconds == 0
    assert len(list(loader)) == len(loader) == 8
    assert 0 < loader.waiting_seconds < 60


def test_a_damaged_file_stops_the_epoch_with_its_name(three_datasets, make_shards):
    reader = make_shards(three_datasets)
    path = reader.folder / "pixels-00001.npy"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DamagedShardError, match=r"pixels-00001\.npy"):
        list(Loader(reader, 8))


@pytest.mark.parametrize("wrong", [{"rank": 1}, {"rank": -1}, {"start_batch": -1}, {"batch_size": 0}])
def test_impossible_numbers_are_refused(reader, wrong):
    with pytest.raises(ValueError, match="impossible"):
        Loader(reader, **({"batch_size": 4} | wrong))


def test_loading_needs_torch_and_numpy_alone():
    import subprocess
    import sys

    code = (
        "import sys, modality_assets.shards.loader; "
        "print(sorted({'polars', 'blosc2', 'pydantic', 'torchvision', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
