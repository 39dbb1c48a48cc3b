import numpy as np
import polars as pl
import pytest

from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import MissingEvidenceError, NothingToFitError
from modality_assets.prediction.evidence import FILES, Evidence, fit_evidence


def labels_of(rows):
    return np.array([CLASSES.index(name) for name in rows["modality"]], dtype=int)


def fit(folder, train, validate, **changes):
    pixels = 0.1 + 0.6 * np.eye(4)[labels_of(validate)]
    return fit_evidence(
        folder,
        train_images=train,
        validate_images=validate,
        validate_labels=labels_of(validate),
        **{"validate_pixels": pixels} | changes,
    )


def test_a_models_folder_gets_calibration_and_intensities_and_gives_them_back(image_rows, tmp_path):
    summary = fit(tmp_path, image_rows(), image_rows(10, seed=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert summary["evidence"] == ["both", "pixels", "intensities"]
    assert summary["calibrated_on_datasets"] == 12
    evidence = Evidence.load(tmp_path)
    rows = image_rows(10, seed=2)
    even = np.full((len(rows), 4), 0.25)
    found, used = evidence.probabilities("both", even, rows)
    assert (found.argmax(axis=1) == labels_of(rows)).mean() > 0.9
    assert set(used) == {"both"}


def test_pictures_rest_on_pixels_and_say_so(image_rows, tmp_path):
    fit(tmp_path, image_rows(), image_rows(10, seed=1))
    rows = image_rows(1).with_columns(bits_stored=pl.Series([16, 8, 8, 16]))
    _, used = Evidence.load(tmp_path).probabilities("both", np.full((4, 4), 0.25), rows)
    assert used == ["both", "pixels", "pixels", "both"]


def test_without_native_intensities_in_train_pixels_are_calibrated_alone(image_rows, tmp_path):
    pictures = image_rows().with_columns(bits_stored=pl.lit(8, pl.Int64))
    summary = fit(tmp_path, pictures, pictures)
    assert summary["evidence"] == ["pixels"]
    assert Evidence.load(tmp_path).kinds == ("pixels",)
    with pytest.raises(MissingEvidenceError, match="intensities"):
        Evidence.load(tmp_path).probabilities("intensities", np.full((len(pictures), 4), 0.25), pictures)


def test_a_model_without_evidence_gives_its_own_pixels(image_rows, tmp_path):
    evidence = Evidence.load(tmp_path)
    pixels = 0.1 + 0.6 * np.eye(4)
    found, used = evidence.probabilities("pixels", pixels, image_rows(1))
    np.testing.assert_allclose(found, pixels, atol=1e-5)
    assert evidence.kinds == ("pixels",)
    assert used == ["pixels"] * 4


def test_no_validate_images_is_said(image_rows, tmp_path):
    nobody = image_rows().clear()
    with pytest.raises(NothingToFitError, match="validate"):
        fit(tmp_path, image_rows(), nobody, validate_pixels=np.empty((0, 4)))
