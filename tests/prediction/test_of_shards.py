from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from modality_assets.evaluation.predictions import KEYS, SCHEMA
from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import Calibration
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.of_shards import fit_evidence_of_shards, predictions_of_shards


@pytest.fixture
def shard():
    """What a shard's reader says of given rows of a table of decoded images, in an order of its own."""

    def make(images: pl.DataFrame, seed: int = 0) -> SimpleNamespace:
        rows = images.sample(fraction=1, shuffle=True, seed=seed)
        dtype = [(key, "<i8" if key == "frame" else "S40") for key in KEYS]
        columns = [rows[key].to_list() if key in rows.columns else [""] * len(rows) for key in KEYS]
        values = [tuple(v.encode() if isinstance(v, str) else v for v in row) for row in zip(*columns, strict=True)]
        return SimpleNamespace(
            provenance=np.array(values, dtype=dtype),
            labels=np.array([CLASSES.index(name) for name in rows["modality"]], dtype=np.uint8),
            index=SimpleNamespace(datasets=sorted(set(rows["dataset"]))),
        )

    return make


def decoded(rows: pl.DataFrame) -> pl.DataFrame:
    nothing = {name: pl.lit(None, dtype=pl.String) for name in ("body_part", "manufacturer", "format", "licence")}
    return rows.with_columns(**nothing)


def test_evidence_is_fitted_to_the_rows_of_shards_in_their_own_order(image_rows, shard, tmp_path):
    train, validate = image_rows(), image_rows(10, seed=1).with_columns(pl.col("dataset") + "-v")
    reader = shard(validate)
    pixels = 0.1 + 0.6 * np.eye(4)[reader.labels]
    summary = fit_evidence_of_shards(tmp_path, shard(train), reader, pixels, images=[train, validate])
    assert summary["pixels_temperature"] < 1  # the pixels were right every time, and only 70 % sure
    assert summary["calibrated_on_images"] == 40
    assert Evidence.load(tmp_path).kinds == ("both", "pixels", "intensities")


def test_a_split_is_predicted_under_every_kind_of_evidence(image_rows, shard, intensity_model):
    images = decoded(image_rows(10, seed=1)).with_columns(
        bits_stored=pl.when(pl.col("modality") == "XR").then(8).otherwise(16)
    )
    reader = shard(images)
    even = np.full((40, 4), 0.25)
    table = predictions_of_shards(
        reader,
        even,
        Evidence(Calibration(), intensity_model),
        split="test",
        images=[images, decoded(image_rows(1)).with_columns(dataset=pl.lit("other"))],
    )
    assert table.schema == SCHEMA
    assert dict(table.group_by("evidence").len().rows()) == {"both": 40, "pixels": 40, "intensities": 30}
    for kind, least in {"pixels": 0, "intensities": 0.8, "both": 0.6}.items():
        rows = table.filter(evidence=kind)
        assert (rows["actual"] == rows["predicted"]).mean() >= least


def test_a_model_without_intensities_is_predicted_by_pixels_alone(image_rows, shard):
    images = decoded(image_rows(2))
    table = predictions_of_shards(
        shard(images), np.full((8, 4), 0.25), Evidence(Calibration(), None), split="test", images=[images]
    )
    assert set(table["evidence"]) == {"pixels"}
