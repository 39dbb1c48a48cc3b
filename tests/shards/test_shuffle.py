"""Seeded order: complete, repeatable for ever, and local in what it changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.shards.shuffle import (
    QUANTUM,
    assign_files,
    file_count,
    hashed,
    permutation,
    seeded_keys,
    shuffled_layout,
)

counts_per_dataset = st.lists(st.integers(0, 300), min_size=1, max_size=6)


@given(st.integers(0, 2000), st.integers())
def test_a_permutation_has_every_number_once(count, seed):
    assert sorted(permutation(count, "test", seed)) == list(range(count))


@given(counts_per_dataset, st.sampled_from([1, 2, 8, 64]), st.integers(0, 5))
def test_the_shuffle_over_datasets_is_a_permutation(counts, files, seed):
    names = [f"dataset-{number}" for number in range(len(counts))]
    dataset, row, file_rows = shuffled_layout(counts, names, files, seed)
    wanted = [(number, one) for number, count in enumerate(counts) for one in range(count)]
    assert sorted(zip(dataset.tolist(), row.tolist(), strict=True)) == wanted
    assert file_rows.sum() == sum(counts)
    assert len(file_rows) == files


def test_the_keys_are_those_of_every_earlier_version():
    # a change here would make every shard ever written look stale: raise the format's version with it
    assert seeded_keys(2, "order", 0, "LIDC-IDRI").tolist() == [8023479737453115723, 15043282406421844847]
    assert permutation(5, "epoch", 0, 1).tolist() == [3, 1, 2, 4, 0]
    assert hashed(np.array([0, 1]), "runs", 0, 0, 0).tolist() == [3642993454988736792, 14962254965587930780]


def test_purposes_do_not_share_keys():
    purposes = [("a", 1), ("a", 11), ("a1", 1), ("a", "1", ""), ("b", 1)]
    assert len({int(seeded_keys(1, *purpose)[0]) for purpose in purposes}) == len(purposes)


@given(st.integers(0, 10_000), st.sampled_from([1, 4, 32]), st.text(max_size=5))
def test_a_dataset_is_dealt_evenly_over_as_few_files_as_keep_a_quantum(rows, files, name):
    held = np.bincount(assign_files(rows, files, 0, name), minlength=files)
    used = held[held > 0]
    assert len(used) == min(files, -(-rows // QUANTUM))
    assert held.sum() == rows
    assert not len(used) or used.max() - used.min() <= 1


@given(counts_per_dataset, st.integers(1, 200))
def test_a_file_without_rows_of_an_added_dataset_keeps_its_rows_in_order(counts, added):
    files = 16
    names = [f"dataset-{number}" for number in range(len(counts))]
    new_name = "another"

    def rows_of_files(counts, names):
        dataset, row, file_rows = shuffled_layout(counts, names, files, 0)
        keys = [(names[number], one) for number, one in zip(dataset.tolist(), row.tolist(), strict=True)]
        ends = np.cumsum(file_rows)
        return [keys[end - count : end] for end, count in zip(ends, file_rows, strict=True)]

    before = rows_of_files(counts, names)
    after = rows_of_files([*counts, added], [*names, new_name])
    for old, new in zip(before, after, strict=True):
        assert [key for key in new if key[0] != new_name] == old


def test_the_number_of_files_is_a_power_of_two_that_keeps_them_small():
    assert [file_count(total, 100) for total in (0, 100, 399, 400, 401, 801)] == [4, 4, 4, 4, 8, 16]


def test_equal_numbers_hash_equally_and_the_hashes_spread():
    keys = hashed(np.arange(10_000) // 2, "runs", 3)
    assert (keys[::2] == keys[1::2]).all()
    assert len(np.unique(keys)) == 5_000
    assert 0.48 < (keys / 2.0**64).mean() < 0.52
