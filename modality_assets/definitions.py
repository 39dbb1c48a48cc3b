"""What Dagster loads: the assets, their checks, and what runs by itself."""

import dagster as dg

from modality_assets.defs import assets, automation, checks
from modality_assets.defs.cluster import executor_for
from modality_assets.defs.workspace import Workspace

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(assets),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=automation.JOBS,
    schedules=automation.SCHEDULES,
    sensors=automation.SENSORS,
    resources={"workspace": Workspace.from_environment()},
    executor=executor_for(Workspace.from_environment()),
)


def asset_job() -> dg.JobDefinition:
    """Return the job of every asset: what the machines of a cluster load to execute a step."""
    return defs.resolve_implicit_global_asset_job_def()
