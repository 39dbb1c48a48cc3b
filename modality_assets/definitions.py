"""What Dagster loads: the assets, their checks, and what runs by itself."""

import dagster as dg

from modality_assets.defs import assets, automation, checks
from modality_assets.defs.workspace import Workspace

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(assets),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=automation.JOBS,
    schedules=automation.SCHEDULES,
    sensors=automation.SENSORS,
    resources={"workspace": Workspace.from_environment()},
    # One process per run: a second one per step would load everything again.
    executor=dg.in_process_executor,
)
