"""A training machine has torch, torchvision, numpy and safetensors, and nothing else that this project needs."""

import subprocess
import sys
import textwrap

from modality_assets.learning.launch import CONFIG, MODEL, write_config
from modality_assets.learning.model_files import read_model
from modality_assets.learning.training import TrainingConfig

BARE = textwrap.dedent('''
    import runpy, sys
    from importlib import metadata

    def closure(names):
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop().lower().replace("_", "-")
            if name in found:
                continue
            found.add(name)
            try:
                needed = metadata.requires(name) or []
            except metadata.PackageNotFoundError:
                continue
            waiting += [line.split(";")[0].split("[")[0].split()[0].rstrip("<>=!~0123456789.,*")
                        for line in needed if "extra ==" not in line]
        return found

    there = closure(["torch", "torchvision", "numpy", "safetensors"])
    names = lambda distributions: {name.lower().replace("_", "-") for name in distributions}
    missing = {module for module, distributions in metadata.packages_distributions().items()
               if not names(distributions) & (there | {"modality-assets"})}
    assert {"polars", "dagster", "pydantic", "sklearn", "cv2", "pydicom", "rich", "scipy"} <= missing, missing

    class Without:
        """What the other finders find, less the packages that are not there."""

        def __init__(self, finders):
            self.finders = finders

        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in missing:
                return None
            return next((spec for finder in self.finders if (spec := finder.find_spec(name, path, target))), None)

    sys.meta_path[:] = [Without(sys.meta_path[:])]
    runpy.run_module("modality_assets.learning", run_name="__main__", alter_sys=True)
''')


def test_a_machine_with_nothing_but_torch_and_numpy_trains_from_shards(make_shards, tmp_path, brisk):
    shards = [make_shards(), make_shards("validate", 8)]
    (tmp_path / CONFIG).parent.mkdir()
    chosen = TrainingConfig("mnasnet1_0", "image_range", brisk, epochs=1, device="cpu", threads=1)
    write_config(chosen, tmp_path / CONFIG)
    places = [*(reader.folder for reader in shards), tmp_path, tmp_path / CONFIG]
    done = subprocess.run([sys.executable, "-c", BARE, *map(str, places)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_model(tmp_path / MODEL).architecture == "mnasnet1_0"
