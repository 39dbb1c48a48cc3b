"""One rank of a distributed training, started by torchrun (`launch`); alone, a training on one machine.

python -m modality_assets.learning TRAIN_SHARDS VALIDATE_SHARDS RUN_FOLDER CONFIG.json
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from modality_assets.learning.errors import LearningError
from modality_assets.learning.launch import MODEL, read_config
from modality_assets.learning.model_files import write_model
from modality_assets.learning.training import train
from modality_assets.shards.index import ShardError
from modality_assets.shards.reader import ShardReader


def main() -> int:
    """Train, write the model into the run folder on the first rank, and print one line per epoch for the launcher."""
    parser = argparse.ArgumentParser(prog="python -m modality_assets.learning", description=__doc__)
    for name in ("train", "validate", "folder", "config"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    try:
        result = train(
            ShardReader(given.train),
            ShardReader(given.validate),
            given.folder,
            read_config(given.config),
            on_epoch=lambda row: print("epoch " + json.dumps(row), flush=True),
        )
    except (LearningError, ShardError, ValueError) as error:
        print(f"error {error}", flush=True)
        return 1
    if os.environ.get("RANK", "0") == "0":
        staged = given.folder / f"{MODEL}-{os.getpid()}"
        write_model(result, staged)
        shutil.rmtree(given.folder / MODEL, ignore_errors=True)
        staged.rename(given.folder / MODEL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
