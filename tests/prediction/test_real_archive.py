import csv
from pathlib import Path

import polars as pl
import pydicom
import pytest

from modality_assets.imaging.decoded import SourceFile, decode_dataset, open_decoded
from modality_assets.prediction.intensities import has_native_intensities
from modality_assets.prediction.intensity_fitting import fit_intensities


@pytest.fixture(scope="module")
def images(real_archive: Path, tmp_path_factory) -> pl.DataFrame:
    """The facts of every real image, with its class and split; pixels are made tiny, for they are not needed."""
    with (real_archive / "datasets.csv").open() as file:
        described = list(csv.DictReader(file))
    splits = pl.read_csv(real_archive / "split.csv")
    sources = []
    for one in described:
        for path in sorted((real_archive / one["dataset"] / one["modality"]).rglob("*")):
            if path.is_file():
                name = path.relative_to(real_archive).as_posix()
                series = name
                if one["formats"] == "DICOM":
                    header = pydicom.dcmread(
                        path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"], force=True
                    )
                    series = str(header.SeriesInstanceUID)
                sources.append(SourceFile(one["dataset"], path, name, series_uid=series, modality=one["modality"]))
    staged = tmp_path_factory.mktemp("real")
    decode_dataset(sources, staged, image_size=8)
    return open_decoded(staged).images.join(splits, on="dataset")


@pytest.mark.real_archive
@pytest.mark.slow
def test_ct_and_mr_series_are_told_apart_no_worse_than_by_the_best_peer(images):
    model = fit_intensities(images.filter(split="train"))
    native = images.filter(pl.Series(has_native_intensities(images)))
    found = native.with_columns(pl.DataFrame(model.probabilities(native)[:, :2], schema=["CT", "MR"]))
    series = (
        found.filter(pl.col("modality").is_in(["CT", "MR"]))
        .group_by("dataset", "series_uid", "modality", "split")
        .agg(pl.col("CT", "MR").mean())
        .with_columns(
            right=pl.when(pl.col("CT") > pl.col("MR")).then(pl.lit("CT")).otherwise(pl.lit("MR")) == pl.col("modality")
        )
    )
    assert series.height == 127
    assert series["right"].sum() >= 125  # of which totalseg_get_modality names 125, choosing between these two classes
    assert series.filter(pl.col("split") != "train")["right"].all()


@pytest.mark.real_archive
@pytest.mark.slow
def test_every_ct_image_of_datasets_never_seen_is_known_by_its_units(images):
    model = fit_intensities(images.filter(split="train"))
    unseen = images.filter(pl.col("split") != "train", modality="CT")
    assert (model.probabilities(unseen).argmax(axis=1) == 0).all()
