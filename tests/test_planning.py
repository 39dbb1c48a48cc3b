"""Plans without an image: what `modality plan` writes and what it promises over time."""

import json

import polars as pl
import pytest

from modality_assets.catalogue.split.errors import PolicyChangedError
from modality_assets.layout import DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.planning import audit, named_plans, plan_without_fetching
from modality_assets.settings import Settings


@pytest.fixture
def layout(tmp_path):
    return DataLayout(tmp_path / "root")


@pytest.fixture
def unpinned(picture_archive, tmp_path):
    """The pictures without a split of their own."""
    folder = tmp_path / "unpinned"
    folder.mkdir()
    for path in picture_archive.iterdir():
        if path.name != "split.csv":
            (folder / path.name).symlink_to(path)
    return f"folder:{folder}"


def _plan(spec, layout, plans=(), **changes):
    return plan_without_fetching(spec, layout, Settings().with_changes(changes), plans)


def test_a_plan_writes_the_tables_of_the_contract_and_fetches_nothing(unpinned, layout):
    tables = _plan(unpinned, layout)
    assert {"policies", "kept", "cohort", "body_parts", "fetch", "plans"} <= set(tables)
    for folder in (layout.catalogue, layout.cohort, layout.split()):
        assert read_manifest(folder) is not None
    assert not (layout.root / "source_files").exists()


def test_planning_again_changes_nothing(unpinned, layout):
    _plan(unpinned, layout)
    before = (layout.split() / "manifest.json").read_bytes()
    _plan(unpinned, layout)
    assert (layout.split() / "manifest.json").read_bytes() == before


def test_the_splits_that_an_archive_pins_are_kept(picture_archive, layout):
    _plan(f"folder:{picture_archive}", layout)
    placed = dict(pl.read_parquet(layout.split_table()).select("dataset", "split").iter_rows())
    assert placed == {name: name.split("-")[0] for name in placed}


def test_a_plan_of_another_name_stands_beside_the_old_one(unpinned, layout):
    _plan(unpinned, layout)
    old = pl.read_parquet(layout.split_table())
    _plan(unpinned, layout, plan="mine", shares={"train": 0.5, "validate": 0.25, "test": 0.25})
    assert json.loads(layout.split_record().read_text())["name"] == "mine"
    assert pl.read_parquet(layout.split_table("optimised")).equals(old)


def test_a_change_of_policy_under_the_same_name_is_refused(unpinned, layout):
    _plan(unpinned, layout)
    before = layout.split_record().read_bytes()
    with pytest.raises(PolicyChangedError, match="another name"):
        _plan(unpinned, layout, shares={"train": 0.5, "validate": 0.25, "test": 0.25})
    assert layout.split_record().read_bytes() == before


def test_folds_and_held_back_datasets_are_plans_beside_the_current_one(unpinned, layout):
    _plan(unpinned, layout)
    names = named_plans(layout, "leave-one-out")
    assert len(names) == 6
    tables = _plan(unpinned, layout, [names[0], "fold-1-of-3"])
    assert {"optimised", names[0], "fold-1-of-3"} <= set(tables["plans"].columns)
    held_back = pl.read_parquet(layout.split_table(names[0])).filter(split="test")["dataset"].to_list()
    assert held_back == [names[0].removeprefix("without-")]


def test_every_hard_truth_holds_of_a_plan_of_ours(unpinned, layout):
    _plan(unpinned, layout)
    assert all(found.passed for found in audit(layout, Settings()) if found.hard)
