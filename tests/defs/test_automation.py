import dagster as dg
import pytest

from modality_assets.definitions import defs
from modality_assets.defs.assets.cohort import cohort
from modality_assets.defs.assets.collection_catalogue import collection_catalogue
from modality_assets.defs.assets.decoded_images import decoded_images
from modality_assets.defs.assets.source_files import source_files
from modality_assets.defs.assets.split_plan import split_plan
from modality_assets.defs.automation import archive_releases, daily_refresh
from modality_assets.defs.partitions import dataset_partitions

NAME = dataset_partitions.name


def _look(instance, workspace):
    with dg.build_sensor_context(instance=instance, definitions=defs) as context:
        return archive_releases(context, workspace=workspace)


@pytest.fixture
def planned(instance, workspace):
    dg.materialize([collection_catalogue, cohort, split_plan], instance=instance, resources={"workspace": workspace})
    return workspace


def test_the_sensor_asks_for_the_catalogue_when_the_archive_is_new(instance, workspace):
    result = _look(instance, workspace)
    assert [request.job_name for request in result.run_requests] == ["refresh_catalogue"]


def test_the_sensor_adds_a_partition_for_each_dataset_and_asks_for_each_once(instance, planned):
    result = _look(instance, planned)
    (added,) = result.dynamic_partitions_requests
    assert len(added.partition_keys) == 6
    assert {request.partition_key for request in result.run_requests} == set(added.partition_keys)
    assert len({request.run_key for request in result.run_requests}) == 6
    again = _look(instance, planned)
    assert [r.run_key for r in again.run_requests] == [r.run_key for r in result.run_requests]


def test_the_sensor_has_nothing_to_ask_for_when_all_is_fresh(instance, planned):
    instance.add_dynamic_partitions(NAME, [request.partition_key for request in _look(instance, planned).run_requests])
    for dataset in instance.get_dynamic_partitions(NAME):
        dg.materialize(
            [source_files, decoded_images], instance=instance, resources={"workspace": planned}, partition_key=dataset
        )
    result = _look(instance, planned)
    assert isinstance(result, dg.SkipReason)
    assert "6 datasets, all fresh" in result.skip_message


def test_the_schedule_looks_at_the_archive_once_a_day():
    with dg.build_schedule_context() as context:
        ticked = daily_refresh.evaluate_tick(context)
    assert len(ticked.run_requests) == 1
    assert daily_refresh.job_name == "refresh_catalogue"
    assert daily_refresh.cron_schedule == "0 5 * * *"
