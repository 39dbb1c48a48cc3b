"""`trained_model`: the weights of one architecture under one rescaling, and how they came about."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from modality_assets.defs.cluster import asks
from modality_assets.defs.partitions import model_partitions
from modality_assets.defs.results import materialise, progress_of
from modality_assets.defs.retraining import chosen_hash, retrain, settled, superseded
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.training import train_into, training_inputs, trial_of_model
from modality_assets.defs.workspace import Workspace
from modality_assets.results import Result

CODE_VERSION = "1"
TIMED = ("history.jsonl", "history.parquet")


def model_result(workspace: Workspace, architecture: str, rescaling: str) -> Result:
    trial = trial_of_model(workspace, architecture, rescaling)
    result = Result(
        "trained_model",
        f"{architecture}|{rescaling}",
        workspace.layout.model(architecture, rescaling),
        training_inputs(workspace, trial),
        CODE_VERSION,
        shared=True,  # the checkpoints to resume from lie in the same folder
        timed=TIMED,
    )
    return settled(workspace.layout, trial, result)


def show_model(folder: Path) -> dict[str, Any]:
    """Return the training history as a table, the model's configuration, and how it came to be promoted or not."""
    history = pl.read_parquet(folder / "history.parquet")
    return {
        "history": markdown_table(history),
        "config": dg.MetadataValue.json(json.loads((folder / "config.json").read_text())),
    }


@dg.asset(
    partitions_def=model_partitions,
    group_name="learning",
    owners=["team:learning"],
    kinds={"torch", "safetensors"},
    deps=[
        dg.AssetDep(
            "rescaled_shards",
            partition_mapping=dg.MultiPartitionMapping(
                {"rescaling": dg.DimensionPartitionMapping("rescaling", dg.IdentityPartitionMapping())}
            ),
        )
    ],
    pool="training",
    code_version=CODE_VERSION,
    op_tags=asks(cores=1, gpus=True),
)
def trained_model(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Weights, history and configuration of one architecture, with checkpoints to resume from.

    Where the archive alone has changed since the promoted model was trained, the new one is promoted only if it
    is no worse on validate, by the setting promotion_margin.
    """
    architecture, rescaling = (context.partition_key.keys_by_dimension[name] for name in ("architecture", "rescaling"))
    result = model_result(workspace, architecture, rescaling)
    trial = trial_of_model(workspace, architecture, rescaling)
    old = superseded(workspace, result)
    if result.fresh_manifest() is None and old is not None:
        decision = retrain(context, workspace, trial, result, old, progress_of(context))
        context.log.info(decision.sentence)
        result = model_result(workspace, architecture, rescaling)
    return materialise(
        context,
        result,
        lambda staged, _progress: {
            **train_into(context, workspace, trial, result.folder, staged),
            "chosen": chosen_hash(workspace, result.inputs),
        },
        show_model,
    )
