"""A two-node Ray cluster on loopback decodes and trains to the very results of one machine."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modality_assets.imaging.cluster import RayDecoding
from modality_assets.imaging.errors import ClusterError
from modality_assets.layout import DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.modality import CLASSES, SPLITS

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the switch by which Ray's nodes stay on loopback
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # jobs of dagster-ray look for `dagster`
    "OMP_NUM_THREADS": "1",  # another number of threads would give weights that differ in the last bits
}
SETTINGS = {
    "image_size": 32,
    "epochs": 1,
    "recipe": "quick",
    "architectures": ["mnasnet1_0"],
    "rescalings": ["image_range"],
    "studies": [],
}
PLAN = "collection_catalogue,cohort,split_plan,source_files"
PARTITIONS = "decoded_images,rescaled_shards,trained_model"
WITNESS = """
import json, sys
import ray
from ray.util.state import list_tasks
ray.init(address=sys.argv[1], log_to_driver=False)
tasks = list_tasks(address=sys.argv[1], filters=[("name", "=", "decode_batch")], limit=1000)
nodes = {task.node_id for task in tasks}
print(json.dumps([len(nodes), len(tasks), sorted({task.state for task in tasks})]))
"""


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Three datasets, one in each split, of pictures of every class."""
    folder = tmp_path / "pictures"
    generator = np.random.default_rng(3)
    rows = [(f"{split}-data", name, "chest", "CC0") for split in SPLITS for name in CLASSES]
    for dataset, name, *_ in rows:
        (folder / dataset / name).mkdir(parents=True)
        for number in range(6):
            level = 40 + 50 * CLASSES.index(name)
            picture = (level + generator.normal(0, 20, (32, 32))).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / dataset / name / f"{number}.png")
    for file, header, lines in (
        ("datasets.csv", ("dataset", "modality", "body_part", "licence"), rows),
        ("split.csv", ("dataset", "split"), [(f"{split}-data", split) for split in SPLITS]),
    ):
        with (folder / file).open("w", newline="") as opened:
            csv.writer(opened).writerows([header, *lines])
    return folder


@pytest.fixture
def cluster():
    """The address of a cluster of two nodes of one core each."""
    # Ray's sockets have long names; the folder of a test's own would be too long for the kernel.
    with (
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as temporary,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("ray_cluster.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT | {"RAY_TMPDIR": temporary},
            text=True,
        ) as program,
    ):
        address = program.stdout.readline().strip()
        assert address.startswith("127.0.0.1:"), "the cluster did not start"
        yield address
        program.stdin.close()
        assert program.wait(60) == 0


def modality(*arguments, cwd, **settings) -> None:
    config = cwd / "settings.json"
    config.write_text(json.dumps(SETTINGS | settings))
    command = [sys.executable, "-m", "modality_assets.cli", "run", "--archive", "folder:pictures", "--config", config]
    done = subprocess.run(
        [*command, *arguments], cwd=cwd, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_of_two_nodes_decodes_and_trains_to_the_results_of_one_machine(pictures, cluster, tmp_path):
    alone, together = (DataLayout(tmp_path / name) for name in ("alone", "together"))
    modality("--data", alone.root, "--select", PLAN, cwd=tmp_path)
    shutil.copytree(alone.root, together.root)
    modality("--data", alone.root, "--select", PARTITIONS, cwd=tmp_path, workers=1)
    modality("--data", together.root, "--select", PARTITIONS, cwd=tmp_path, cluster=cluster)

    folders = [*alone.decoded_folders, *alone.shard_folders, *alone.model_folders]
    assert len(folders) == 3 + 3 + 1
    for folder in folders:
        twin = read_manifest(together.root / folder.relative_to(alone.root))
        assert twin is not None, folder
        assert twin.content_hash == read_manifest(folder).content_hash, folder
    witness = subprocess.run(
        [sys.executable, "-c", WITNESS, cluster],
        env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    nodes, tasks, states = json.loads(witness.stdout.splitlines()[-1])
    assert nodes == 2, "both nodes decoded"
    assert tasks >= 6
    assert states == ["FINISHED"]


def test_a_cluster_that_does_not_answer_is_named_with_the_setting():
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:1.*'cluster'"):
        RayDecoding("127.0.0.1:1")
