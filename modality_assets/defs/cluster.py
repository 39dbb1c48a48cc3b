"""Partitions on a Ray cluster, where the settings name one: dagster-ray's executor, and runs that use it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg

from modality_assets.defs.instance import open_instance
from modality_assets.defs.processes import process_tag
from modality_assets.defs.workspace import Workspace
from modality_assets.imaging.errors import ClusterError

PARTITIONED = (
    "source_files",
    "decoded_images",
    "rescaled_shards",
    "trained_model",
    "evaluation_report",
    "study_trial",
)

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of what a command shows in its own way."""

PARTITIONS_AT_ONCE = 16
"""Runs that a command has going at a time on a cluster, each in a process of its own; pools may let fewer work."""


def executor_for(workspace: Workspace) -> dg.ExecutorDefinition:
    """Return how the steps of a run are executed: each as a job of the cluster, or all in the run's own process."""
    address = workspace.settings.cluster
    if address is None:
        return dg.in_process_executor  # a second process per step would load everything again
    try:
        from dagster_ray import ray_executor
    except ImportError:
        raise ClusterError("a Ray cluster needs Ray: pip install 'modality-assets[ray]'") from None
    environment = {"MODALITY_ARCHIVE": _absolute(workspace.archive), "MODALITY_DATA": str(workspace.layout.root)}
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ray_executor.configured({"ray": {"address": address, "env_vars": variables}}, name="ray")


def job_name(asset: str) -> str:
    """Return the name of the job that materialises partitions of ``asset`` on the cluster."""
    return f"{asset}_on_cluster"


def jobs_for(workspace: Workspace) -> list[Any]:
    """Return a job for each partitioned asset, which a machine can load by name; none where there is no cluster."""
    if workspace.settings.cluster is None:
        return []
    # Without checks, each of which would be a job of its own: `check_here` evaluates them once for all partitions.
    return [
        dg.define_asset_job(job_name(asset), selection=dg.AssetSelection.assets(asset).without_checks())
        for asset in PARTITIONED
    ]


def asks(*, cores: int, gpus: bool = False) -> dict[str, Any]:
    """Return the op tags by which an asset asks the cluster for cores, and where it has use of them for GPUs.

    Without, a step waits on the cluster's head for what its own tasks do elsewhere. They are those of the settings
    at the moment when the code location loads; where no cluster is named, there are none.
    """
    settings = Workspace.from_environment().settings
    if settings.cluster is None:
        return {}
    return {"dagster-ray/config": {"num_cpus": cores, "num_gpus": settings.cluster_gpus if gpus else 0}}


def processes_for_runs() -> ProcessPoolExecutor:
    """Return processes, started when they are needed, for `execute_on_cluster`.

    Dagster configures logging anew for each run, under locks which the event log of another run in the same
    process may wait for: two runs in threads of one process can stop each other for good.
    """
    return ProcessPoolExecutor(PARTITIONS_AT_ONCE, mp_context=multiprocessing.get_context("spawn"))


def execute_on_cluster(config: dict[str, Any], asset: str, partition_tags: dict[str, str]) -> tuple[str, bool]:
    """Materialise one partition in a run whose step is a job of the cluster; return the run's id, and if it succeeded.

    Call it in a process of its own (`processes_for_runs`). ``config`` is that of the workspace.
    """
    workspace = Workspace(**config)
    moved = workspace.model_copy(update={"archive": _absolute(workspace.archive)})
    with (
        open_instance(workspace.layout) as instance,
        dg.execute_job(
            dg.build_reconstructable_job("modality_assets.definitions", "cluster_job", reconstructable_args=(asset,)),
            instance,
            raise_on_error=False,
            tags=process_tag() | partition_tags,
            run_config=QUIET | {"resources": {"workspace": {"config": moved.model_dump()}}},
        ) as run,
    ):
        return run.run_id, run.success


def check_here(definitions: dg.Definitions, instance: dg.DagsterInstance, workspace: Workspace, asset: str) -> None:
    """Evaluate the checks of an asset in this process; they look at everything on disk, so once is enough."""
    key = dg.AssetKey(asset)
    if any(check.asset_key == key for check in definitions.resolve_asset_graph().asset_check_keys):
        dg.materialize(
            list(definitions.asset_checks or []),
            selection=dg.AssetSelection.checks_for_assets(key),
            instance=instance,
            resources={"workspace": workspace},
            run_config=QUIET,
            raise_on_error=False,
            tags=process_tag(),
        )


def partition_tags(definitions: dg.Definitions, asset: str, key: str) -> dict[str, str]:
    """Return the tags by which a run knows its partition; one of two dimensions has a tag for each."""
    tags = {"dagster/partition": key}
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey(asset)).partitions_def
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        both = partitions.get_partition_key_from_str(key).keys_by_dimension
        tags |= {f"dagster/partition/{name}": value for name, value in both.items()}
    return tags


def _absolute(archive: str) -> str:
    """Other machines have other working directories."""
    kind, _, place = archive.partition(":")
    return f"folder:{Path(place).expanduser().absolute()}" if kind == "folder" else archive
