"""What runs by itself: the jobs, the daily look at the archive, and the sensor that follows its releases."""

from collections.abc import Iterator

import dagster as dg

from modality_assets.defs.alerts import alerts
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.steps import STEPS, cohort_datasets
from modality_assets.defs.workspace import Workspace

refresh_catalogue = dg.define_asset_job(
    "refresh_catalogue",
    selection=["collection_catalogue", "cohort", "split_plan"],
    description="Look at the archive again, choose the cohort, and place new datasets; assigned ones never move.",
)

fetch_dataset = dg.define_asset_job(
    "fetch_dataset",
    selection=["source_files", "decoded_images"],
    description="Fetch, verify and decode one dataset.",
)

daily_refresh = dg.ScheduleDefinition(
    name="daily_refresh",
    job=refresh_catalogue,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    description="Every morning at five (UTC): has the archive changed?",
)


@dg.sensor(
    jobs=[refresh_catalogue, fetch_dataset],
    minimum_interval_seconds=60,
    description="Adds a partition for each dataset new in the cohort, and asks for what is not fresh.",
)
def archive_releases(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.SensorResult | dg.SkipReason:
    """Refresh the catalogue when the archive has another version; then fetch each dataset that is not fresh.

    Run keys are input hashes, so the same work is asked for once, however often the sensor looks.
    """
    steps = {step.asset: step for step in STEPS}
    catalogue = steps["collection_catalogue"].result(workspace, "")
    if catalogue.fresh_manifest() is None:
        request = dg.RunRequest(run_key=f"catalogue-{catalogue.input_hash}", job_name=refresh_catalogue.name)
        return dg.SensorResult(run_requests=[request])
    known = set(context.instance.get_dynamic_partitions(str(dataset_partitions.name)))
    datasets = cohort_datasets(workspace)
    new = [dataset for dataset in datasets if dataset not in known]
    requests = list(_requests(workspace, datasets))
    if not new and not requests:
        return dg.SkipReason(f"{len(datasets)} datasets, all fresh; the archive is at {catalogue.inputs['version']}")
    return dg.SensorResult(
        run_requests=requests, dynamic_partitions_requests=[dataset_partitions.build_add_request(new)] if new else []
    )


def _requests(workspace: Workspace, datasets: list[str]) -> Iterator[dg.RunRequest]:
    source_files, decoded_images = (step for step in STEPS if step.asset in {"source_files", "decoded_images"})
    for dataset in datasets:
        if not (source_files.is_fresh(workspace, dataset) and decoded_images.is_fresh(workspace, dataset)):
            source = source_files.result(workspace, dataset)
            yield dg.RunRequest(
                run_key=f"{dataset}-{source.input_hash}", job_name=fetch_dataset.name, partition_key=dataset
            )


JOBS = [refresh_catalogue, fetch_dataset]
SCHEDULES = [daily_refresh]
SENSORS = [archive_releases, alerts]
