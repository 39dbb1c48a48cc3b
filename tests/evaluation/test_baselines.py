import numpy as np
import polars as pl
import pytest

from modality_assets.evaluation.baselines import BASELINES, against_baselines, baseline_predictions
from modality_assets.evaluation.errors import TooFewImagesError
from modality_assets.evaluation.predictions import KEYS, SCHEMA
from modality_assets.evaluation.report import write_report


def images(per_class: int, seed: int = 0, classes: tuple[str, ...] = ("CT", "MR", "XR")) -> pl.DataFrame:
    """Rows whose mean tells CT from the rest, and whose size tells XR from the rest."""
    rng = np.random.default_rng(seed)
    names = [name for name in classes for _ in range(per_class)]
    keys = {key: [f"{key}{i}" for i in range(len(names))] for key in KEYS if key not in ("frame", "dataset")}
    return pl.DataFrame(
        {
            "dataset": [f"{name}-data" for name in names],
            "frame": 0,
            "modality": names,
            **keys,
            "native_mean": [(-800 if name == "CT" else 300) + rng.normal(0, 50) for name in names],
            "native_std": rng.uniform(100, 200, len(names)),
            "native_min": [-1024.0 if name == "CT" else 0.0 for name in names],
            "native_max": rng.uniform(1000, 2000, len(names)),
            "rows": [2000 if name == "XR" else 512 for name in names],
            "columns": 512,
            "bits_stored": [12] * len(names),
            "body_part": "chest",
            "manufacturer": None,
            "format": "DICOM",
            "licence": "CC BY 4.0",
        }
    )


def recall(table, name, split="test"):
    rows = table.filter(actual=name, split=split)
    return (rows["predicted"] == rows["actual"]).mean()


def splits():
    return {"train": images(40), "test": images(10, seed=1)}


def test_the_majority_is_always_the_commonest_class():
    train = pl.concat([images(10), images(1, classes=("MR",))])
    table = baseline_predictions("majority", {"train": train, "test": images(4, seed=1)})
    assert set(table["predicted"]) == {"MR"}


def test_four_numbers_find_what_intensities_give_away_and_no_more():
    table = baseline_predictions("native_statistics", splits())
    assert recall(table, "CT") == 1
    assert recall(table, "MR") < 1 or recall(table, "XR") < 1


def test_size_and_bits_find_what_they_give_away_and_no_more():
    table = baseline_predictions("size_and_bits", splits())
    assert recall(table, "XR") == 1
    assert recall(table, "CT") < 1 or recall(table, "MR") < 1


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_baseline_makes_a_report_like_a_models(name, tmp_path):
    table = baseline_predictions(name, splits())
    assert table.schema == SCHEMA
    assert set(table["evidence"]) == {name}
    assert set(table["split"]) == {"train", "test"}
    summary = write_report(table, tmp_path, timings={}, model={"baseline": name})
    assert summary["images"] == 150
    assert pl.read_parquet(tmp_path / "per_dataset.parquet").height == 6


def test_unknown_sizes_are_no_error():
    rows = splits()
    rows["test"] = rows["test"].with_columns(rows=pl.lit(None, dtype=pl.Int64))
    assert len(baseline_predictions("size_and_bits", rows)) == 150


def test_nothing_to_learn_from_is_said():
    with pytest.raises(TooFewImagesError, match="no images"):
        baseline_predictions("majority", {"train": images(1).clear()})
    with pytest.raises(TooFewImagesError, match="one class"):
        baseline_predictions("size_and_bits", {"train": images(5, classes=("CT",))})


def test_a_model_counts_by_all_its_evidence_and_must_beat_every_baseline(predictions, tmp_path):
    def report(name, table):
        (tmp_path / name).mkdir()
        write_report(table, tmp_path / name, timings={}, model={})
        return tmp_path / name

    half_right = predictions([0, 0, 1, 1], [0, 1, 1, 0])
    good = predictions([0, 0, 1, 1], [0, 0, 1, 1], evidence="both")
    models = {"pixels only": report("one", half_right), "joined": report("two", half_right.vstack(good))}
    trivial = predictions([0, 0, 1, 1], [0, 0, 0, 1], evidence="size_and_bits")
    table = against_baselines(models, {"size_and_bits": report("baseline", trivial)})
    assert table.select("model", "evidence", "pixels", "all_evidence", "baseline_score", "beaten").rows() == [
        ("pixels only", "pixels", 0.5, 0.5, 0.75, False),
        ("joined", "both", 0.5, 1.0, 0.75, True),
    ]
