import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from modality_assets.modality import CLASSES, ClassOrderError
from modality_assets.prediction.errors import DamagedEvidenceError
from modality_assets.prediction.intensities import (
    FEATURES,
    FILE,
    STATISTICS,
    IntensityModel,
    all_classes,
    features,
    has_native_intensities,
    sharpened,
)


def test_sharpening_raises_the_odds_of_ct_and_those_among_the_rest_apart():
    shares = np.array([[0.8, 0.1, 0.05, 0.05]])
    np.testing.assert_allclose(sharpened(shares, 1, 1), shares, atol=0.005)
    surer = sharpened(shares, 2, 1)
    assert surer[0, 0] / (1 - surer[0, 0]) == pytest.approx(16, rel=0.1)
    assert surer[0, 1] / surer[0, 2] == pytest.approx(2, rel=0.05)
    softer = sharpened(shares, 1, 0.5)
    assert softer[0, 0] == pytest.approx(0.8, abs=0.005)
    assert softer[0, 1] / softer[0, 2] == pytest.approx(2**0.5, rel=0.05)
    assert softer.sum() == pytest.approx(1)


def test_shares_are_put_in_the_place_of_their_class():
    np.testing.assert_allclose(all_classes(np.array([[0.6, 0.4]]), ("CT", "PT")), [[0.6, 0, 0.4, 0]])


@given(st.floats(1e-3, 1e3))
def test_ratios_do_not_change_with_the_scale_of_an_image(factor):
    statistics = np.array([[10.0, 900.0, 200.0, 150.0, 20.0, 700.0]])
    np.testing.assert_allclose(features(statistics * factor)[:, 6:], features(statistics)[:, 6:])


def test_features_of_any_image_are_finite():
    odd = np.array([[5.0] * 6, [0.0] * 6, [-3e38, 3e38, 0, 1e38, 0, 0], [0, 1e-30, 0, 0, 0, 0]])
    found = features(odd)
    assert found.shape == (4, FEATURES)
    assert np.isfinite(found).all()


def test_eight_bits_and_unknown_statistics_are_no_native_intensities(image_rows):
    rows = image_rows(1)
    rows = rows.with_columns(bits_stored=pl.Series([8, 12, None, 16]), native_p01=pl.Series([0.0, 0.0, 0.0, None]))
    assert has_native_intensities(rows).tolist() == [False, True, False, False]


def test_images_without_native_intensities_are_of_any_class(image_rows, intensity_model):
    pictures = image_rows(2).with_columns(bits_stored=pl.lit(8))
    assert (intensity_model.probabilities(pictures) == 0.25).all()


def test_a_model_comes_back_from_disk(image_rows, intensity_model, tmp_path):
    intensity_model.save(tmp_path)
    again = IntensityModel.load(tmp_path)
    rows = image_rows(seed=1)
    np.testing.assert_array_equal(again.probabilities(rows), intensity_model.probabilities(rows))


def test_nothing_but_the_statistics_and_the_bits_is_looked_at(image_rows, intensity_model):
    rows = image_rows(seed=1)
    np.testing.assert_array_equal(
        intensity_model.probabilities(rows.select("bits_stored", *STATISTICS)),
        intensity_model.probabilities(rows.with_columns(unit=pl.lit("HU"), modality=pl.lit("CT"))),
    )


@pytest.mark.parametrize("content", [None, b"", b"12345678", b"\xff" * 64])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DamagedEvidenceError, match=r"intensities\.safetensors.*trained_model"):
        IntensityModel.load(tmp_path)


def test_a_model_of_other_classes_is_refused(intensity_model, tmp_path):
    intensity_model.save(tmp_path)
    tensors = load_file(tmp_path / FILE)
    described = {"version": "1", "classes": CLASSES[::-1], "seen": CLASSES, "ct": 1.0, "rest": 1.0}
    save_file(tensors, tmp_path / FILE, metadata={"model": json.dumps(described)})
    with pytest.raises(ClassOrderError):
        IntensityModel.load(tmp_path)
