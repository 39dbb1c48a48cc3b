import json

import numpy as np
import pytest

from modality_assets.modality import CLASSES, ClassOrderError
from modality_assets.prediction.calibration import FILE, Calibration, Coverage, check_evidence, joined, power
from modality_assets.prediction.errors import DamagedEvidenceError, UnknownEvidenceError

SURE = np.array([[0.94, 0.02, 0.02, 0.02]])
EVEN = np.full((1, 4), 0.25)


def test_an_exponent_below_one_makes_less_sure_and_keeps_the_order():
    softer = power(SURE, 0.5)
    assert SURE.max() > softer.max() > 0.25
    assert softer.sum() == pytest.approx(1)
    np.testing.assert_allclose(power(SURE, 1), SURE, atol=1e-4)


def test_evidence_that_says_nothing_changes_nothing():
    np.testing.assert_allclose(joined(SURE, EVEN, 1, 1), power(SURE, 1))


def test_evidence_for_the_same_class_makes_surer_and_against_it_less_sure():
    for_it, against = np.array([[0.7, 0.1, 0.1, 0.1]]), np.array([[0.1, 0.7, 0.1, 0.1]])
    assert joined(SURE, for_it, 1, 1)[0, 0] > joined(SURE, EVEN, 1, 1)[0, 0] > joined(SURE, against, 1, 1)[0, 0]


def test_a_probability_of_zero_can_be_outvoted():
    never, other = np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    assert np.isfinite(joined(never, other, 1, 1)).all()


@pytest.mark.parametrize("evidence", ["both", "intensities"])
def test_an_image_without_native_intensities_rests_on_its_pixels(evidence):
    calibration = Calibration(pixels=0.5, joined_pixels=2)
    pixels, intensities = np.repeat(SURE, 2, axis=0), np.repeat(EVEN, 2, axis=0)
    found = calibration.calibrated(evidence, pixels, intensities, np.array([True, False]))
    np.testing.assert_allclose(found[1], power(SURE, 0.5)[0])
    assert abs(found[0, 0] - found[1, 0]) > 0.05


def test_a_threshold_keeps_at_least_the_coverage_asked_for():
    curve = [Coverage(1.0, 0.0, 0.8), Coverage(0.95, 0.4, 0.84), Coverage(0.8, 0.6, 0.9)]
    calibration = Calibration(coverage={"both/image": curve})
    assert [calibration.threshold("both", "image", share) for share in (1, 0.95, 0.9, 0.8, 0.1)] == [
        0,
        0.4,
        0.4,
        0.6,
        0.6,
    ]
    assert calibration.threshold("pixels", "image", 0.5) == 0


def test_a_calibration_comes_back_from_disk(tmp_path):
    calibration = Calibration(0.5, 0.6, 0.7, 0.8, {"both/image": [Coverage(1.0, 0.0, 0.9)]}, {"images": 3})
    calibration.save(tmp_path)
    assert Calibration.load(tmp_path) == calibration


@pytest.mark.parametrize("change", [{"version": 0}, {"pixels": -1}, {"pixels": "x"}, {"coverage": {"a": [{}]}}])
def test_a_damaged_calibration_is_named(tmp_path, change):
    Calibration().save(tmp_path)
    found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(found | change))
    with pytest.raises(DamagedEvidenceError, match=r"calibration\.json"):
        Calibration.load(tmp_path)


def test_a_missing_calibration_is_named(tmp_path):
    with pytest.raises(DamagedEvidenceError, match=r"calibration\.json"):
        Calibration.load(tmp_path)


def test_a_calibration_of_other_classes_is_refused(tmp_path):
    Calibration().save(tmp_path)
    found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(found | {"classes": list(CLASSES[::-1])}))
    with pytest.raises(ClassOrderError):
        Calibration.load(tmp_path)


def test_unknown_evidence_is_answered_with_what_there_is():
    with pytest.raises(UnknownEvidenceError, match=r"header.*both, pixels, intensities"):
        check_evidence("header")
