"""The assets under Dagster's own harness: an ephemeral instance, contexts with partition keys."""

import json
import os
import shutil

import dagster as dg
import polars as pl
import pytest

from modality_assets.defs.assets.cohort import cohort
from modality_assets.defs.assets.collection_catalogue import collection_catalogue
from modality_assets.defs.assets.decoded_images import decoded_images
from modality_assets.defs.assets.rescaled_shards import rescaled_shards
from modality_assets.defs.assets.source_files import source_files
from modality_assets.defs.assets.split_plan import split_plan
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.manifest import read_manifest
from modality_assets.modality import CLASSES
from modality_assets.results import MissingInputError
from modality_assets.shards.verification import verify_decoded, verify_shards

PLAN = [collection_catalogue, cohort, split_plan]
DATASETS = ["test-a", "test-b", "train-a", "train-b", "validate-a", "validate-b"]


def _materialise(assets, instance, workspace, partition_key=None, **options):
    return dg.materialize(
        assets, instance=instance, resources={"workspace": workspace}, partition_key=partition_key, **options
    )


@pytest.fixture
def planned(instance, workspace):
    """A data root with catalogue, cohort and plan, and the partitions of its datasets."""
    assert _materialise(PLAN, instance, workspace).success
    instance.add_dynamic_partitions(dataset_partitions.name, DATASETS)
    return workspace


@pytest.fixture
def decoded(instance, planned):
    """The same with every dataset fetched and decoded."""
    for dataset in DATASETS:
        assert _materialise([source_files, decoded_images], instance, planned, dataset).success
    return planned


def test_catalogue_cohort_and_plan_materialise_with_metadata_worth_looking_at(instance, workspace):
    result = _materialise(PLAN, instance, workspace)
    for asset in ("collection_catalogue", "cohort", "split_plan"):
        (event,) = result.asset_materializations_for_node(asset)
        assert {"size_bytes", "seconds", "folder"} <= set(event.metadata)
        assert any(isinstance(value, dg.MarkdownMetadataValue) for value in event.metadata.values())
    plan = pl.read_parquet(workspace.layout.split_table())
    assert dict(plan.select("dataset", "split").iter_rows()) == {name: name.split("-")[0] for name in DATASETS}
    assert plan["pinned"].all()


def test_materialising_again_finds_the_result_fresh_and_leaves_its_files_alone(instance, planned):
    before = (planned.layout.split() / "manifest.json").read_bytes()
    result = _materialise([split_plan], instance, planned)
    (event,) = result.asset_materializations_for_node("split_plan")
    assert event.metadata["found_fresh"].value is True
    assert (planned.layout.split() / "manifest.json").read_bytes() == before


def test_the_data_version_is_the_input_hash_of_the_manifest(instance, planned):
    record = instance.get_latest_materialization_event(dg.AssetKey("cohort"))
    manifest = read_manifest(planned.layout.cohort)
    assert record.asset_materialization.tags["dagster/data_version"] == manifest.input_hash


def test_a_source_files_partition_is_made_from_a_context_with_its_key(instance, planned):
    with dg.build_asset_context(partition_key="train-b", instance=instance) as context:
        result = source_files(context, workspace=planned)
    manifest = read_manifest(planned.layout.source_files("train-b"))
    assert result.data_version.value == manifest.input_hash
    assert manifest.counts["incomplete"] == 0
    assert manifest.counts["series"] == len(list(planned.layout.source_files("train-b").glob("*/manifest.json")))


def test_a_damaged_source_file_heals_when_its_partition_is_materialised_again(instance, planned):
    _materialise([source_files], instance, planned, "train-b")
    victim = next(planned.layout.source_files("train-b").glob("*/*.png"))
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert _materialise([source_files], instance, planned, "train-b").success
    assert victim.read_bytes() == whole


def test_an_unreadable_image_is_quarantined_counted_and_does_not_stop_the_rest(decoded, instance):
    folder = decoded.layout.decoded("train-a")
    quarantine = pl.read_parquet(folder / "quarantine.parquet")
    assert quarantine.height == 1
    assert quarantine["dataset"].to_list() == ["train-a"]
    assert quarantine["reason"].item()
    assert read_manifest(folder).counts["quarantined"] == 1
    assert pl.read_parquet(folder / "images.parquet").height == 12


def test_shards_hold_the_datasets_of_their_split_and_no_others(instance, decoded):
    key = dg.MultiPartitionKey({"rescaling": "image_range", "split": "train"})
    assert _materialise([rescaled_shards], instance, decoded, key).success
    index = json.loads((decoded.layout.shards("image_range", "train") / "index.json").read_text())
    assert index["classes"] == list(CLASSES)
    assert sorted(index["datasets"]) == ["train-a", "train-b"]
    assert index["images"] == 24


def test_shards_name_the_dataset_that_is_missing_although_the_mapping_says_all(instance, decoded):
    mapping = next(iter(rescaled_shards.specs)).deps
    assert any(isinstance(dep.partition_mapping, dg.AllPartitionMapping) for dep in mapping)
    shutil.rmtree(decoded.layout.decoded("train-b"))
    key = dg.MultiPartitionKey({"rescaling": "image_range", "split": "train"})
    with (
        dg.build_asset_context(partition_key=key, instance=instance) as context,
        pytest.raises(MissingInputError, match="train-b"),
    ):
        rescaled_shards(context, workspace=decoded)
    assert not decoded.layout.shards("image_range", "train").exists()


def test_a_dataset_left_out_with_a_reason_no_longer_blocks_its_split(instance, decoded, changed):
    shutil.rmtree(decoded.layout.decoded("train-b"))
    excluding = changed(excluded={"train-b": "lost"})
    key = dg.MultiPartitionKey({"rescaling": "image_range", "split": "train"})
    assert _materialise([rescaled_shards], instance, excluding, key).success
    index = json.loads((decoded.layout.shards("image_range", "train") / "index.json").read_text())
    assert index["datasets"] == ["train-a"]


def test_a_dataset_that_the_cohort_does_not_have_is_named(instance, planned):
    with (
        dg.build_asset_context(partition_key="nowhere", instance=instance) as context,
        pytest.raises(ValueError, match="nowhere"),
    ):
        source_files(context, workspace=planned)


def test_an_asset_whose_input_is_missing_says_which_to_materialise(instance, workspace):
    result = _materialise([cohort], instance, workspace, raise_on_error=False)
    assert not result.success
    error = result.failure_data_for_node("cohort").error
    assert "collection_catalogue" in (error.cause or error).message


def _flip_a_bit(path, *, as_rot):
    """Change one bit; ``as_rot`` leaves the file's time as it was, as a failing disk does."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    if as_rot:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("as_rot", [False, True])
def test_a_damaged_shard_is_named_and_made_again_by_materialising_it(instance, decoded, as_rot):
    key = dg.MultiPartitionKey({"rescaling": "image_range", "split": "train"})
    assert _materialise([rescaled_shards], instance, decoded, key).success
    folder = decoded.layout.shards("image_range", "train")
    whole = {path.name: path.read_bytes() for path in folder.glob("*.npy")}
    victim = folder / "pixels-00000.npy"
    _flip_a_bit(victim, as_rot=as_rot)
    if as_rot:  # nothing but its bytes tells
        ((_, file, problem),) = verify_shards(folder.parents[1])
        assert file == victim.name
        assert "materialise rescaled_shards for image_range|train again" in problem
    assert _materialise([rescaled_shards], instance, decoded, key).success
    assert {path.name: path.read_bytes() for path in folder.glob("*.npy")} == whole
    assert verify_shards(folder.parents[1]) == []


@pytest.mark.parametrize("as_rot", [False, True])
def test_a_damaged_decoded_file_is_named_blocks_its_split_and_is_made_again(instance, decoded, as_rot):
    folder = decoded.layout.decoded("train-b")
    victim = folder / "pixels-00000.npy"
    whole = victim.read_bytes()
    _flip_a_bit(victim, as_rot=as_rot)
    if as_rot:
        assert [(one.name, file) for one, file, _ in verify_decoded(decoded.layout.decoded_folders)] == [
            ("train-b", victim.name)
        ]
    key = dg.MultiPartitionKey({"rescaling": "image_range", "split": "train"})
    with pytest.raises(MissingInputError, match="needs decoded_images of train-b"):
        _materialise([rescaled_shards], instance, decoded, key)
    assert _materialise([decoded_images], instance, decoded, "train-b").success
    assert victim.read_bytes() == whole
    assert verify_decoded(decoded.layout.decoded_folders) == []
    assert _materialise([rescaled_shards], instance, decoded, key).success
