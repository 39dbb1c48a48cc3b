import os
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_files

from modality_assets.modality import CLASSES
from modality_assets.prediction.calibration import Calibration, Coverage
from modality_assets.prediction.errors import (
    MissingEvidenceError,
    ModelNotFoundError,
    NoSaliencyError,
    UnknownEvidenceError,
)
from modality_assets.prediction.evidence import Evidence
from modality_assets.prediction.inputs import Limits
from modality_assets.prediction.predictor import Predictor


def test_each_image_has_a_class_probabilities_and_its_series(predictor, dicom_file, tmp_path):
    path = dicom_file(tmp_path / "a.dcm", bright=0.9, series_uid="1.2.3")
    (one,) = predictor.predict([path])
    assert (one.path, one.series_uid, one.frame, one.modality) == (str(path), "1.2.3", 0, "XR")
    assert list(one.probabilities) == list(CLASSES)
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert one.probabilities["XR"] == pytest.approx(0.9 * 0.9, abs=0.02)
    assert one.evidence == "pixels"
    assert one.error is None


@pytest.mark.parametrize("modality", ["CT", "XA", "", None])
def test_the_modality_tag_makes_no_difference(predictor, dicom_file, tmp_path, modality):
    (one,) = predictor.predict([dicom_file(tmp_path / "a.dcm", bright=0.9, modality=modality)])
    assert one.modality == "XR"


def test_what_cannot_be_read_is_reported_in_its_place_and_stops_nothing(predictor, picture, tmp_path):
    first, last = picture(tmp_path / "1.png"), picture(tmp_path / "3.png", bright=0.1)
    (tmp_path / "2.txt").write_text("no image")
    found = list(predictor.predict([first, tmp_path / "2.txt", tmp_path / "gone", last]))
    assert [one.modality for one in found] == ["XR", None, None, "PT"]
    assert "2.txt" in found[1].error
    assert "no such file" in found[2].error


def test_a_name_that_is_not_utf_8_stops_nothing(predictor, picture, tmp_path):
    for name, text in ((b"caf\xe9.png", None), (b"th\xe9.txt", "no image")):
        picture(tmp_path / "a.png") if text is None else (tmp_path / "a.png").write_text(text)
        os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/" + name)
    picture(tmp_path / "z.png")
    found = list(predictor.predict(tmp_path))
    assert [Path(one.path).name for one in found] == ["caf\ufffd.png", "th\ufffd.txt", "z.png"]
    assert [one.modality for one in found] == ["XR", None, "XR"]
    assert all(one.json().encode() for one in found)


def test_nothing_to_read_at_all_is_reported_too(predictor, tmp_path):
    (one,) = predictor.predict([tmp_path / "gone"])
    assert "no such file" in one.error
    assert list(predictor.predict([])) == []
    assert predictor.vote([one]) == []


def test_a_volume_is_one_series_of_its_slices(predictor, tmp_path):
    volume = np.zeros((20, 20, 5), np.int16)
    volume[:18] = 100
    volume[..., 4] = 7  # a constant slice: nothing to see
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "v.nii.gz")
    found = list(predictor.predict([tmp_path / "v.nii.gz"]))
    assert [one.frame for one in found] == [0, 1, 2, 3, None]
    assert "constant" in found[-1].error
    (vote,) = predictor.vote(found)
    assert (vote.images, vote.modality, vote.series_uid) == (4, "XR", None)
    assert vote.probabilities["XR"] == pytest.approx(found[0].probabilities["XR"])


def test_a_series_outvotes_one_image(predictor, dicom_file, tmp_path):
    for i, bright in enumerate([0.8, 0.8, 0.3]):
        dicom_file(tmp_path / f"{i}.dcm", bright=bright, series_uid="1.2")
    found = list(predictor.predict([tmp_path]))
    assert [one.modality for one in found] == ["XR", "XR", "PT"]
    (vote,) = predictor.vote(found)
    assert vote.modality == "XR"


def test_a_zip_gives_what_its_files_give(predictor, picture, tmp_path):
    path = picture(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(path, "x.png")
    unpacked, zipped = predictor.predict([path, tmp_path / "x.zip"])
    assert zipped.probabilities == unpacked.probabilities
    assert zipped.path.endswith("x.zip/x.png")


def test_more_files_than_fit_in_one_batch_keep_their_order(predictor, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("modality_assets.prediction.predictor.FILES_AT_ONCE", 2)
    for i in range(5):
        picture(tmp_path / f"{i}.png", bright=(1 + i) / 10)
    found = list(predictor.predict([tmp_path]))
    sure = [one.probabilities["XR"] for one in found]
    assert sure == sorted(sure)
    assert len(sure) == 5


def test_the_threshold_is_that_of_the_evidence_asked_for(predictor, intensity_model, picture, tmp_path):
    """The curve of 'both' holds images without native intensities too, as this one."""
    curve = {"both/image": [Coverage(0.95, 0.9, 0.99)], "pixels/image": [Coverage(0.95, 0.1, 0.99)]}
    both = Predictor(predictor.network, Evidence(Calibration(coverage=curve), intensity_model))
    path = picture(tmp_path / "a.png")
    (one,) = both.predict([path])
    assert (one.evidence, one.modality) == ("pixels", "unknown")
    (vote,) = both.vote([one])
    assert vote.modality == "unknown"
    (one,) = both.predict([path], "pixels")
    assert one.modality == "XR"


def test_below_the_threshold_of_the_coverage_asked_for_it_says_unknown(predictor, picture, tmp_path):
    curve = {"pixels/image": [Coverage(1.0, 0.0, 0.8), Coverage(0.9, 0.7, 0.95)]}
    evidence = Evidence(Calibration(coverage=curve), None)
    sure, unsure = picture(tmp_path / "sure.png", 0.95), picture(tmp_path / "unsure.png", 0.55)
    wary = Predictor(predictor.network, evidence, coverage=0.9)
    assert [one.modality for one in wary.predict([sure, unsure])] == ["XR", "unknown"]
    bold = Predictor(predictor.network, evidence, coverage=1.0)
    assert [one.modality for one in bold.predict([sure, unsure])] == ["XR", "XR"]


def test_intensities_change_the_verdict_where_a_file_has_them_and_only_there(
    predictor, dicom_file, picture, intensity_model, tmp_path
):
    joint = Predictor(predictor.network, Evidence(Calibration(), intensity_model))
    hounsfield = dicom_file(tmp_path / "ct.dcm", bright=0.55)  # from -1000 to 0: bright, and yet a CT
    plain = picture(tmp_path / "x.png", bright=0.55)
    for kind, verdicts in {"intensities": ["CT", "XR"], "pixels": ["XR", "XR"]}.items():
        assert [one.modality for one in joint.predict([hounsfield, plain], kind)] == verdicts
    ct, xr = joint.predict([hounsfield, plain])
    assert (ct.evidence, xr.evidence) == ("both", "pixels")
    (alone,) = joint.predict([hounsfield], "pixels")
    assert ct.probabilities["CT"] > alone.probabilities["CT"] + 0.1


def test_evidence_that_the_model_lacks_is_refused_before_anything_is_read(predictor, tmp_path):
    with pytest.raises(MissingEvidenceError, match="only for pixels"):
        predictor.predict([tmp_path], "both")
    with pytest.raises(UnknownEvidenceError):
        predictor.predict([tmp_path], "header")


def test_no_model_is_said_with_an_example(tmp_path):
    with pytest.raises(ModelNotFoundError, match="models/resnet18"):
        Predictor.load(tmp_path / "gone")


def test_nothing_is_written_beside_the_images(predictor, picture, tmp_path):
    picture(tmp_path / "x.png")
    list(predictor.predict([tmp_path]))
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_every_file_that_pydicom_ships_is_predicted_or_reported(predictor):
    files = sorted(name for name in get_testdata_files() if Path(name).is_file())
    found = list(predictor.predict(files))
    assert {one.path for one in found} == set(files)
    read = {one.path for one in found if one.error is None}
    assert len(read) > 40
    for one in found:
        assert (one.error is None) != (one.modality is None)
        one.json()
    uids = {one.path: one.series_uid for one in found if one.series_uid}
    for path, uid in list(uids.items())[:5]:
        assert pydicom.dcmread(path, force=True).SeriesInstanceUID == uid


def test_images_are_kept_as_the_network_saw_them_where_asked_for(predictor, picture, tmp_path):
    path = picture(tmp_path / "x.png")
    (without,) = predictor.predict([path])
    (with_pixels,) = predictor.predict([path], with_pixels=True)
    assert without.pixels is None
    assert with_pixels == without, "pixels do not make it another prediction"
    assert np.array_equal(with_pixels.pixels, predictor.network.seen[-1][0])


def test_a_zip_beyond_the_limits_is_refused_with_the_reason(predictor, picture, tmp_path):
    path = picture(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("1.png", "2.png"):
            archive.write(path, name)
    (refused,) = predictor.predict([tmp_path / "x.zip"], limits=Limits(members=1))
    assert "more than" in refused.error
    assert len(list(predictor.predict([tmp_path / "x.zip"], limits=Limits(members=2)))) == 2


def test_a_network_without_gradients_says_so(predictor):
    with pytest.raises(NoSaliencyError, match="folder of the trained model"):
        predictor.saliency(np.zeros((1, 16, 16), np.float32), ["CT"])
