"""Made-up datasets, and the images that they hold."""

import numpy as np
import polars as pl

from modality_assets.modality import CLASSES, SPLITS

PER_SERIES = 40
_BODY_PARTS = ("chest", "brain", "abdomen", "breast", "knee", "pelvis", None)
_MAKERS = ("Meridian (made up)", "Helion (made up)", "Boreal (made up)", None)


def made_up_datasets(number_of_datasets: int, chance: np.random.Generator) -> pl.DataFrame:
    """One row per dataset and class: dataset, modality, split, body_part, manufacturer, weight, release."""
    rows = []
    for number in range(number_of_datasets):
        split = "train" if number % 9 < 4 else "validate" if number % 9 < 6 else "test"
        for modality in {CLASSES[number % 4], CLASSES[(number + number // 4) % 4]}:
            rows.append(
                {
                    "dataset": f"made-up-{number:03d}",
                    "modality": modality,
                    "split": split,
                    "body_part": _BODY_PARTS[int(chance.integers(len(_BODY_PARTS)))],
                    "manufacturer": _MAKERS[int(chance.integers(len(_MAKERS)))],
                    "weight": float(chance.lognormal(0, 0.7)),
                    "release": f"2026-0{1 + 8 * number // number_of_datasets}-01",
                }
            )
    return pl.DataFrame(sorted(rows, key=lambda row: (row["dataset"], row["modality"])))


def made_up_images(datasets: pl.DataFrame, total: int, chance: np.random.Generator) -> pl.DataFrame:
    """One row per image, by split, with the columns of a predictions table that no model decides."""
    weights = datasets["weight"].to_numpy()
    counts = np.maximum(1, np.round(total * weights / weights.sum())).astype(np.int64)
    repeated = datasets.drop("weight", "release").with_columns(images=pl.Series(counts))
    rows = repeated.select(pl.exclude("images").repeat_by("images").explode(empty_as_null=False))
    index = pl.int_range(pl.len()).over("dataset", "modality")
    series = pl.format("{}.{}.{}", pl.col("dataset"), pl.col("modality"), index // PER_SERIES)
    order = pl.col("split").replace_strict({name: place for place, name in enumerate(SPLITS)})
    return rows.with_columns(
        patient_id=pl.format("{}-{}", pl.col("dataset"), index // (2 * PER_SERIES)),
        study_uid=series,
        series_uid=series,
        instance_uid=pl.format("{}.{}", series, index % PER_SERIES),
        frame=pl.lit(0, pl.Int64),
        source_file=pl.format("{}/{}.dcm", series, index % PER_SERIES),
        actual=pl.col("modality"),
        evidence=pl.lit("pixels"),
        format=pl.lit("DICOM"),
        licence=pl.lit("none, made up"),
        bits_stored=pl.lit(12, pl.Int64),
        chance=pl.Series(chance.random(len(rows), dtype=np.float32)),
    ).sort(order, "dataset", maintain_order=True)
