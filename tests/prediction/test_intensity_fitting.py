import numpy as np
import polars as pl
import pytest

from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import NothingToFitError
from modality_assets.prediction.intensities import STATISTICS, features
from modality_assets.prediction.intensity_fitting import fit_intensities


def accuracy(model, rows):
    found = model.probabilities(rows).argmax(axis=1)
    return (found == [CLASSES.index(name) for name in rows["modality"]]).mean()


def test_classes_are_told_apart_by_their_intensities(image_rows, intensity_model):
    assert accuracy(intensity_model, image_rows(seed=1)) > 0.9


def test_radiographs_of_eight_bits_teach_what_twelve_bits_look_like(image_rows):
    rows = image_rows()
    sixteenth = {name: pl.col(name) / 16 for name in rows.columns if name.startswith("native")}
    eight_bit = rows.filter(modality="XR").with_columns(bits_stored=pl.lit(8, pl.Int64), **sixteenth)
    model = fit_intensities(pl.concat([rows.filter(pl.col("modality") != "XR"), eight_bit]))
    assert accuracy(model, image_rows(seed=1).filter(modality="XR")) > 0.8


def test_the_scale_of_an_mr_image_does_not_matter(image_rows, intensity_model):
    rows = image_rows(seed=1).filter(modality="MR")
    for factor in (0.3, 3):
        scaled = rows.with_columns(pl.col("^native_.*$") * factor)
        assert accuracy(intensity_model, scaled) > 0.8


def test_the_same_images_in_any_order_give_the_same_model(image_rows):
    rows, probe = image_rows(), image_rows(seed=1)
    one = fit_intensities(rows, seed=3).probabilities(probe)
    np.testing.assert_array_equal(one, fit_intensities(rows.reverse(), seed=3).probabilities(probe))
    assert (one != fit_intensities(rows, seed=4).probabilities(probe)).any()


def test_a_class_that_was_never_seen_is_not_ruled_out(image_rows):
    model = fit_intensities(image_rows(classes=("CT", "MR")))
    found = model.probabilities(image_rows(seed=1))
    np.testing.assert_allclose(found[:, 2:], 0.25)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_one_class_is_not_enough_and_the_error_says_which_there_is(image_rows):
    with pytest.raises(NothingToFitError, match="MR"):
        fit_intensities(image_rows(classes=("MR",)))
    with pytest.raises(NothingToFitError, match="no class"):
        fit_intensities(image_rows().clear())


def test_eight_bit_images_of_other_classes_are_left_out(image_rows):
    rows = image_rows(classes=("CT", "MR")).with_columns(bits_stored=pl.lit(8, pl.Int64))
    with pytest.raises(NothingToFitError):
        fit_intensities(rows)


def test_ct_without_its_intercept_is_not_ruled_out(image_rows, intensity_model):
    rows = image_rows(seed=1).filter(modality="CT")
    moved = {name: pl.col(name) + 1024 for name in rows.columns if name.startswith("native") and "std" not in name}
    shares = intensity_model.forest.shares

    def of_ct(table):
        return shares(features(table.select(STATISTICS).to_numpy()))[:, 0].mean()

    assert of_ct(rows) > 0.9 > of_ct(rows.with_columns(**moved)) > 0.02


def test_how_sure_a_forest_may_be_is_learnt_from_datasets_left_out(image_rows):
    rows = image_rows(datasets=8)
    wrong = {"CT": "MR", "MR": "CT"}
    mixed = rows.with_columns(
        modality=pl.when(pl.col("dataset").is_in(["CT-0", "CT-1", "MR-0", "MR-1"]))
        .then(pl.col("modality").replace(wrong))
        .otherwise("modality")
    )
    assert fit_intensities(mixed).ct < fit_intensities(rows).ct / 2
