"""The whole graph as a list of steps: which partitions each asset has now, and which of them are fresh.

Both the command that runs everything and the sensor that looks for work ask here, so they agree.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl

from modality_assets.defs import partitions
from modality_assets.defs.assets.decoded_images import decoded_result
from modality_assets.defs.assets.evaluation_report import report_result
from modality_assets.defs.assets.header_disagreements import disagreements_result
from modality_assets.defs.assets.model_comparison import comparison_result
from modality_assets.defs.assets.rescaled_shards import shards_result
from modality_assets.defs.assets.source_files import source_result
from modality_assets.defs.assets.study_trial import trial_result
from modality_assets.defs.assets.trained_model import model_result
from modality_assets.defs.workspace import Workspace
from modality_assets.planning import catalogue_result, cohort_result, split_result
from modality_assets.results import MissingInputError, Result
from modality_assets.studies import chosen_trials


@dataclass(frozen=True)
class Step:
    """One asset: its partition keys now (None stands for an asset without partitions), and their results."""

    asset: str
    keys: Callable[[Workspace], list[str | None]]
    result: Callable[[Workspace, str], Result]

    def is_fresh(self, workspace: Workspace, key: str | None) -> bool:
        """Tell whether what is on disk was made from the inputs that would be used now."""
        try:
            return self.result(workspace, key or "").fresh_manifest() is not None
        except (MissingInputError, FileNotFoundError):
            return False


def cohort_datasets(workspace: Workspace) -> list[str]:
    """Return the datasets of the cohort on disk, sorted; none where there is no cohort yet."""
    table = workspace.layout.cohort_table
    return sorted(pl.read_parquet(table, columns=["dataset"])["dataset"].unique()) if table.exists() else []


def _once(_workspace: Workspace) -> list[str | None]:
    return [None]


def _datasets(workspace: Workspace) -> list[str | None]:
    return [*cohort_datasets(workspace)]


def _static(definition: dg.PartitionsDefinition) -> Callable[[Workspace], list[str | None]]:
    return lambda _workspace: [str(key) for key in definition.get_partition_keys()]


def _trials(workspace: Workspace) -> list[str | None]:
    """Return the trials of the chosen studies; those of the others are made when someone asks for them."""
    chosen = chosen_trials(workspace.settings)
    return [key for key in partitions.trial_partitions.get_partition_keys() if key in chosen]


def _shards(workspace: Workspace) -> list[str | None]:
    """Return the shards that a model or a chosen trial reads."""
    trials = chosen_trials(workspace.settings).values()
    needed = {*workspace.settings.rescalings, *(trial.rescaling for trial in trials)}
    keys = map(str, partitions.shard_partitions.get_partition_keys())
    return [key for key in keys if key.split("|")[0] in needed]


def _catalogue(workspace: Workspace, _key: str) -> Result:
    with workspace.open_archive() as archive:
        return catalogue_result(archive, workspace.layout, workspace.settings)


def _pair(function: Callable[[Workspace, str, str], Result]) -> Callable[[Workspace, str], Result]:
    def of_key(workspace: Workspace, key: str) -> Result:
        first, second = key.split("|")
        return function(workspace, first, second)

    return of_key


STEPS = (
    Step("collection_catalogue", _once, _catalogue),
    Step("cohort", _once, lambda workspace, _key: cohort_result(workspace.layout, workspace.settings)),
    Step("split_plan", _once, lambda workspace, _key: split_result(workspace.layout, workspace.settings)),
    Step("source_files", _datasets, source_result),
    Step("decoded_images", _datasets, decoded_result),
    Step("rescaled_shards", _shards, _pair(shards_result)),
    Step("trained_model", _static(partitions.model_partitions), _pair(model_result)),
    Step("evaluation_report", _static(partitions.model_partitions), _pair(report_result)),
    Step("study_trial", _trials, trial_result),
    Step("model_comparison", _once, lambda workspace, _key: comparison_result(workspace)),
    Step("header_disagreements", _once, lambda workspace, _key: disagreements_result(workspace)),
)
"""In the order of the flow: each step needs only steps before it."""


def stale_keys(step: Step, workspace: Workspace) -> Iterator[str | None]:
    """Yield the partition keys of ``step`` that are not fresh."""
    return (key for key in step.keys(workspace) if not step.is_fresh(workspace, key))
