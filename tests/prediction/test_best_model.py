import json

import polars as pl
import pytest

from modality_assets.layout import DataLayout
from modality_assets.prediction.best_model import best_model
from modality_assets.prediction.errors import ModelNotFoundError


@pytest.fixture
def root(tmp_path):
    """A data root of two models, of which the second started from pretrained weights."""

    def make(random: float, pretrained: float) -> DataLayout:
        layout = DataLayout(tmp_path)
        rows = []
        for name, accuracy in (("resnet18", random), ("efficientnet_lite0", pretrained)):
            folder = layout.model(name, "image_range")
            folder.mkdir(parents=True)
            (folder / "config.json").write_text(json.dumps({"recipe": {"pretrained": name != "resnet18"}}))
            row = {"source": "ours", "study": "main", "architecture": name, "rescaling": "image_range"}
            rows += [
                row | {"split": split, "balanced_accuracy": a} for split, a in (("validate", accuracy), ("test", 0))
            ]
        layout.comparison_table.parent.mkdir(parents=True)
        pl.DataFrame(rows).write_parquet(layout.comparison_table)
        return layout

    return make


def test_the_best_on_validate_predicts_where_validate_can_tell(root):
    assert best_model(root(0.9, 0.8)).parent.name == "resnet18"


def test_a_pretrained_model_predicts_where_validate_cannot_tell(root):
    assert best_model(root(0.92, 0.9)).parent.name == "efficientnet_lite0"


def test_a_root_without_a_comparison_says_what_to_run(tmp_path):
    with pytest.raises(ModelNotFoundError, match="modality demo"):
        best_model(DataLayout(tmp_path))
