from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modality_assets.layout import DataLayout, UnsafeNameError, check_dataset_key, check_uid, data_root, dataset_key


@given(st.text())
def test_a_dataset_key_is_always_one_safe_folder_name_or_refused(name):
    try:
        key = dataset_key(name)
    except UnsafeNameError:
        return
    folder = DataLayout(Path("/root")).source_files(key)
    assert folder.parent == Path("/root/source_files")
    assert dataset_key(key) == key


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../etc", "-a", ".hidden", "a b", "a\n", "ü"])
def test_a_key_that_could_leave_its_folder_is_refused(name):
    with pytest.raises(UnsafeNameError, match="dataset"):
        check_dataset_key(name)


def test_a_collection_name_with_spaces_becomes_a_key():
    assert dataset_key("Anti-PD-1 Lung") == "Anti-PD-1-Lung"


@pytest.mark.parametrize("uid", ["", "../1", "1/2", "1..2", "1" * 65, "1 2", "1\x00"])
def test_a_uid_with_characters_that_no_path_may_have_is_refused(uid):
    with pytest.raises(UnsafeNameError, match="UID"):
        check_uid(uid)


def test_a_valid_uid_is_its_own_folder_name():
    uid = "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192"
    assert DataLayout(Path("r")).source_series("LIDC-IDRI", uid) == Path("r/source_files/LIDC-IDRI") / uid


def test_the_data_root_is_named_after_the_archive_unless_it_is_named_exactly(tmp_path, monkeypatch):
    monkeypatch.delenv("MODALITY_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert data_root("idc") == tmp_path / "data" / "idc"
    monkeypatch.setenv("MODALITY_DATA", str(tmp_path / "elsewhere"))
    assert data_root("idc") == tmp_path / "elsewhere"
    assert data_root("idc", tmp_path / "here") == tmp_path / "here"


def test_folders_being_built_are_not_listed_among_results(tmp_path):
    layout = DataLayout(tmp_path)
    layout.model("resnet18", "image_range").mkdir(parents=True)
    (tmp_path / "models" / "resnet18" / ".staging-image_range.1-a").mkdir()
    assert layout.model_folders == [layout.model("resnet18", "image_range")]
