import json

import pytest

from modality_assets.prediction.prediction import Prediction, by_series, mean_probabilities

CT = {"CT": 0.7, "MR": 0.1, "PT": 0.1, "XR": 0.1}
XR = {"CT": 0.1, "MR": 0.1, "PT": 0.1, "XR": 0.7}


def test_the_record_of_an_image_has_the_fields_of_the_contract():
    one = Prediction("a.dcm", "1.2", 0, "CT", CT, "both")
    assert json.loads(one.json()) == {
        "path": "a.dcm",
        "series": "1.2",
        "series_uid": "1.2",
        "frame": 0,
        "modality": "CT",
        "probabilities": CT,
        "evidence": "both",
    }
    assert "\n" not in one.json()


def test_frames_of_a_file_without_uid_are_one_series():
    records = [Prediction("brain.nii.gz", None, frame, "MR", CT, "pixels").record() for frame in (0, 1)]
    assert [(one["series"], one["series_uid"]) for one in records] == [("brain.nii.gz", None)] * 2


def test_the_record_of_an_unreadable_file_is_its_path_and_error():
    assert Prediction("a\n.txt", error="no image").record() == {"path": "a\n.txt", "error": "no image"}
    assert "\n" not in Prediction("a\n.txt", error="no image").json()
    assert Prediction("a", error="x").confidence == 0


def test_images_are_gathered_by_series_and_errors_left_out():
    images = [
        Prediction("a", "1", 0, "CT", CT, "both"),
        Prediction("b", "1", 0, "XR", XR, "both"),
        Prediction("v.nii", None, 0, "CT", CT, "both"),
        Prediction("v.nii", None, 1, "CT", CT, "both"),
        Prediction("c", error="damaged"),
    ]
    groups = by_series(images)
    assert {name: len(group) for name, group in groups.items()} == {"1": 2, "v.nii": 2}
    assert mean_probabilities(groups["1"]) == pytest.approx({"CT": 0.4, "MR": 0.1, "PT": 0.1, "XR": 0.4})
    assert mean_probabilities([]) == {}
