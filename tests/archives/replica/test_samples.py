"""The real images that pydicom ships."""

from pathlib import Path

import pydicom

from modality_assets.archives.replica.samples import copy_samples, sample_files


def test_ct_mr_and_cr_are_there_each_instance_once() -> None:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sample_files()]
    assert {header.Modality for header in headers} == {"CT", "MR", "CR"}
    uids = [header.SOPInstanceUID for header in headers]
    assert len(uids) == len(set(uids)) > 20


def test_what_cannot_be_read_is_left_out() -> None:
    assert "MR_truncated.dcm" not in {path.name for path in sample_files()}


def test_files_are_copied_as_they_are(tmp_path: Path) -> None:
    assert copy_samples(tmp_path) == len(sample_files())
    original = next(path for path in sample_files() if path.name == "CT_small.dcm")
    assert (tmp_path / "CT_small.dcm").read_bytes() == original.read_bytes()
