import numpy as np
import pytest

from modality_assets.learning import architectures, export
from modality_assets.learning.model_files import InputContract, TrainingResult, write_model
from modality_assets.modality import CLASSES
from modality_assets.prediction import exported_network
from modality_assets.prediction.calibration import Calibration
from modality_assets.prediction.errors import DamagedExportError
from modality_assets.prediction.exported_network import ExportedNetwork, export_model
from modality_assets.prediction.predictor import Predictor


@pytest.fixture(scope="module")
def exported(tmp_path_factory, intensity_model):
    """A model's folder and the file exported from it."""
    folder = tmp_path_factory.mktemp("model")
    network = architectures.build("resnet18", 4, seed=0)
    contract = InputContract(32, 32, "image_range", 0.5, 0.25)
    write_model(TrainingResult("resnet18", contract, network.state_dict(), {}, []), folder)
    Calibration(pixels=0.5).save(folder)
    intensity_model.save(folder)
    file = folder / "out" / "model.onnx"
    export_model(folder, file, licences=["CC BY 4.0", "CC BY 3.0", "CC BY 4.0"])
    return folder, file


def test_one_file_predicts_what_the_folder_predicts(exported, dicom_file, picture, tmp_path):
    folder, file = exported
    dicom_file(tmp_path / "a.dcm", 0.3)
    picture(tmp_path / "b.png", 0.6)
    ours, theirs = (list(Predictor.load(model).predict([tmp_path])) for model in (folder, file))
    assert [one.evidence for one in theirs] == ["both", "pixels"]
    for one, other in zip(ours, theirs, strict=True):
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-4)
        assert (other.path, other.series_uid, other.modality) == (one.path, one.series_uid, one.modality)


def test_the_file_says_what_it_was_trained_on_and_what_it_expects(exported):
    network, evidence = ExportedNetwork.load(exported[1])
    assert network.described["licences_of_training_data"] == ["CC BY 3.0", "CC BY 4.0"]
    assert network.described["classes"] == list(CLASSES)
    assert (network.contract.size, network.contract.rescaling) == (32, "image_range")
    assert evidence.calibration.pixels == 0.5
    assert network.probabilities(np.zeros((3, 32, 32), np.float32)).sum(axis=1) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(DamagedExportError, match=r"model\.onnx.*modality export"):
        Predictor.load(tmp_path / "model.onnx")


def test_the_key_of_the_metadata_is_the_one_that_is_written():
    assert exported_network._KEY == export.METADATA_KEY
