"""Plans without an image: what `modality plan` writes and what it promises over time."""

import collections
import json
import re
from importlib import resources

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


_RADIOGRAPHS = {"1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "13.1.3", "13.1.4", "13.1.5"}
_PROPER = {"CT": {"2", "2.1", "2.2"}, "MR": {"4", "4.1", "4.3", "4.4"}, "PT": {"128", "128.1", "130"}}
_SCOUTS = re.compile(
    r"(?<![a-z])(scouts?|topograms?|scanograms?|surviews?|locali[sz]ers?|pilot|planogram)(?![a-z])", re.IGNORECASE
)
_MASKS = re.compile(r"\b(roi|voi|dwi) mask\b", re.IGNORECASE)


def _is_wanted(tag: str, sop_class: str, instances: int, description: str) -> bool:
    """Whether a series of the index is an acquisition of CT, MR, PT or XR, by rules written down once more."""
    sop = sop_class.removeprefix("1.2.840.10008.5.1.4.1.1.")
    if sop == "66" or _MASKS.search(description):
        return False
    if sop == "7":
        return tag in ("CR", "DX", "MG")
    if sop not in _PROPER.get(tag, _RADIOGRAPHS):
        return False
    if tag in ("CT", "PT") and _SCOUTS.search(description):
        return False
    return not (tag == "CT" and instances <= 3)


@pytest.mark.slow
def test_the_plan_of_the_real_index_agrees_with_counts_made_row_by_row(layout):
    tables = _plan("idc", layout)
    index = pl.read_parquet(str(resources.files("idc_index_data").joinpath("idc_index.parquet")))
    columns = ("collection_id", "analysis_result_id", "Modality", "SOPClassUID", "instanceCount", "SeriesDescription")
    own = collections.Counter()
    for dataset, analysis, tag, sop_class, instances, description in index.select(columns).iter_rows():
        if tag not in ("CT", "MR", "PT", "CR", "DX", "MG") or analysis or dataset in ("victre", "gbm_dsc_mri_dro"):
            continue
        if _is_wanted(tag, sop_class, instances, description or ""):
            own[dataset, "XR" if tag in ("CR", "DX", "MG") else tag] += instances
            own[dataset] += 1
    written = pl.read_parquet(layout.series_table)
    assert written.height == index.height
    kept = written.filter("kept")
    assert {dataset: count for dataset, count in own.items() if isinstance(dataset, str)} == dict(
        kept.group_by("dataset").len().iter_rows()
    )
    images = kept.group_by("dataset", "modality").agg(pl.col("planned_images").sum())
    counted = {key: count for key, count in own.items() if isinstance(key, tuple)}
    assert counted == {(dataset, modality): count for dataset, modality, count in images.iter_rows()}
    # The cohort: everything, except that a dataset gives at most 100,000 MR and 50,000 CT images.
    chosen = pl.read_parquet(layout.cohort_table).group_by("dataset", "modality").agg(pl.col("planned_images").sum())
    caps = {"MR": 100_000, "CT": 50_000}
    for dataset, modality, count in chosen.iter_rows():
        all_of_it = counted.pop((dataset, modality))
        cap = caps.get(modality, all_of_it)
        assert count == all_of_it or 0.9 * cap < count <= cap < all_of_it, (dataset, modality)
    assert not counted, "a dataset gave nothing"
    assert tables["kept"]["images"].sum() == images["planned_images"].sum()
