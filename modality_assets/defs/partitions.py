"""How the graph is cut: by dataset, by rescaling and split, by architecture and rescaling, by trial.

Dagster fixes static partitions when a code location loads, and a definition has two dimensions at
most. So the architectures and rescalings are those of the data root's settings at that moment; after a
change of them, reload the code location. The trials are those of every study, so that any can be
launched; the setting ``studies`` says which a whole run makes. Datasets are dynamic: the sensor adds them.
"""

import dagster as dg

from modality_assets.defs.workspace import Workspace
from modality_assets.modality import SPLITS
from modality_assets.settings import Settings
from modality_assets.studies import all_trials

_chosen: Settings = Workspace.from_environment().settings

DATASETS = "dataset"
dataset_partitions = dg.DynamicPartitionsDefinition(name=DATASETS)

_trials = all_trials(_chosen)

# Every rescaling that a model or a trial needs, each once.
_shard_rescalings = list(dict.fromkeys([*_chosen.rescalings, *(trial.rescaling for trial in _trials.values())]))

shard_partitions = dg.MultiPartitionsDefinition(
    {
        "rescaling": dg.StaticPartitionsDefinition(_shard_rescalings),
        "split": dg.StaticPartitionsDefinition(list(SPLITS)),
    }
)

model_partitions = dg.MultiPartitionsDefinition(
    {
        "architecture": dg.StaticPartitionsDefinition(list(_chosen.architectures)),
        "rescaling": dg.StaticPartitionsDefinition(list(_chosen.rescalings)),
    }
)

trial_partitions = dg.StaticPartitionsDefinition(list(_trials))
