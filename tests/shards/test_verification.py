"""`modality shards verify` looks everywhere and names what it finds."""

import pytest

from modality_assets.manifest import describe, write_json
from modality_assets.shards.verification import verify_folder, verify_shards


@pytest.fixture
def two_shards(three_datasets, make_shards):
    return [make_shards(three_datasets, name) for name in ("image_range/train", "percentile/test")]


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_healthy_root_has_no_problems(two_shards, tmp_path):
    assert verify_shards(tmp_path / "shards") == []
    assert verify_shards(tmp_path / "nothing here") == []


def test_each_damaged_file_is_named_with_its_folder_and_its_cure(two_shards, tmp_path):
    train, test = (reader.folder for reader in two_shards)
    flip(train / "pixels-00001.npy")
    flip(train / "affine.npy")
    (test / "labels.npy").unlink()
    problems = verify_shards(tmp_path / "shards")
    assert [(folder, file) for folder, file, _ in problems] == [
        (train, "pixels-00001.npy"),
        (train, "affine.npy"),
        (test, "labels.npy"),
    ]
    assert problems[0][2] == (
        "its bytes are not those that were written; materialise rescaled_shards for image_range|train again"
    )
    assert problems[2][2].startswith("is missing; ")


def test_a_folder_without_an_index_is_a_problem(two_shards, tmp_path):
    (two_shards[0].folder / "index.json").unlink()
    ((folder, file, problem),) = verify_shards(tmp_path / "shards")
    assert (folder, file) == (two_shards[0].folder, "index.json")
    assert "no shards here" in problem


def test_an_index_with_other_classes_is_a_problem(two_shards, tmp_path):
    index = two_shards[0].folder / "index.json"
    index.write_text(index.read_text().replace('"CT",', '"XX",'))
    ((_, file, problem),) = verify_shards(tmp_path / "shards")
    assert file == "index.json"
    assert "XX" in problem


def test_an_index_changed_after_the_manifest_was_written_is_a_problem(two_shards):
    folder = two_shards[0].folder
    facts = {"asset": "rescaled_shards", "partition": "train", "input_hash": "", "code_version": "", "run_id": ""}
    write_json(folder / "manifest.json", describe(folder, seconds=0.0, **facts).__dict__)
    assert verify_folder(folder) == []
    index = folder / "index.json"
    text = index.read_text()
    index.write_text(text.replace('"seed": 0', '"seed": 7'))
    assert [file for file, _ in verify_folder(folder)] == ["index.json"]


def test_a_folder_still_being_built_is_left_alone(two_shards, tmp_path):
    (tmp_path / "shards" / "image_range" / ".staging-validate.123-abc").mkdir()
    assert verify_shards(tmp_path / "shards") == []
