"""What Dagster loads: the assets, their checks, and what runs by itself."""

import dagster as dg

from modality_assets.defs import assets, automation, checks, cluster
from modality_assets.defs.workspace import Workspace

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(assets),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=[*automation.JOBS, *cluster.jobs_for(Workspace.from_environment())],
    schedules=automation.SCHEDULES,
    sensors=automation.SENSORS,
    resources={"workspace": Workspace.from_environment()},
    executor=cluster.executor_for(Workspace.from_environment()),
)


def cluster_job(asset: str) -> dg.JobDefinition:
    """Return the job that materialises one asset: what the machines of a cluster load to execute a step of it."""
    return defs.resolve_job_def(cluster.job_name(asset))
