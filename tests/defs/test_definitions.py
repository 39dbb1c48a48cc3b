import dagster as dg

from modality_assets.definitions import defs
from modality_assets.studies import STUDIES

ASSETS = {
    "collection_catalogue": None,
    "cohort": None,
    "split_plan": None,
    "source_files": "dataset",
    "decoded_images": "dataset",
    "rescaled_shards": "rescaling × split",
    "trained_model": "architecture × rescaling",
    "evaluation_report": "architecture × rescaling",
    "study_trial": "trial",
    "model_comparison": None,
    "header_disagreements": None,
}

CHECKS = {
    "split_plan": {"no_dataset_in_two_splits", "no_patient_in_two_splits", "every_class_in_every_split"},
    "decoded_images": {"quarantine_is_below_the_stated_share"},
    "rescaled_shards": {"no_image_lies_in_two_splits", "no_dataset_is_set_aside"},
    "trained_model": {"weights_are_finite", "retrained_models_are_promoted"},
    "model_comparison": {"class_order_is_equal_everywhere", "beats_trivial_baselines"},
}


def test_the_graph_has_the_assets_of_the_design_and_no_others():
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == set(ASSETS)


def test_every_asset_has_a_group_an_owner_a_kind_and_a_description():
    for spec in defs.resolve_all_asset_specs():
        assert spec.group_name
        assert spec.group_name != "default", spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key


def test_partitions_are_those_of_the_design():
    graph = defs.resolve_asset_graph()
    for name, partitions in ASSETS.items():
        definition = graph.get(dg.AssetKey(name)).partitions_def
        match definition:
            case None:
                found = None
            case dg.DynamicPartitionsDefinition():
                found = definition.name
            case dg.MultiPartitionsDefinition():
                found = " × ".join(definition.partition_dimension_names)
            case _:
                found = "trial"
        assert found == partitions, name


def test_the_checks_are_there_and_visible():
    found: dict[str, set[str]] = {}
    for key in defs.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    for asset, names in CHECKS.items():
        assert names <= found[asset]


def test_downloads_and_training_have_pools():
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("source_files")).pools == {"download"}
    assert graph.get(dg.AssetKey("trained_model")).pools == {"training"}


def test_a_model_depends_on_the_shards_of_its_own_rescaling_only():
    graph = defs.resolve_asset_graph()
    with dg.DagsterInstance.ephemeral() as instance:
        key = dg.MultiPartitionKey({"architecture": "resnet18", "rescaling": "image_range"})
        mapping = graph.get_partition_mapping(dg.AssetKey("trained_model"), dg.AssetKey("rescaled_shards"))
        models, shards = (graph.get(dg.AssetKey(name)).partitions_def for name in ("trained_model", "rescaled_shards"))
        upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(
            models.subset_with_partition_keys([key]), models, shards, dynamic_partitions_store=instance
        )
    keys = set(upstream.partitions_subset.get_partition_keys())
    assert keys == {"image_range|train", "image_range|validate", "image_range|test"}


def test_the_trials_of_every_study_can_be_launched():
    keys = defs.resolve_asset_graph().get(dg.AssetKey("study_trial")).partitions_def.get_partition_keys()
    assert {key.split(".")[0] for key in keys} == set(STUDIES)


def test_what_runs_by_itself_is_off_until_somebody_follows_the_archive():
    repository = defs.get_repository_def()
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    assert set(schedules) == {"daily_refresh", "scheduled_retraining"}
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    assert set(sensors) == {"archive_releases", "alerts"}
    assert sensors["archive_releases"].default_status is dg.DefaultSensorStatus.STOPPED
    assert all(one.default_status is dg.DefaultScheduleStatus.STOPPED for one in schedules.values())
