from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from modality_assets.archives.replica.tags import header_rows


def test_elements_of_a_sequence_follow_it_with_a_mark_for_each_level(tmp_path: Path) -> None:
    inner, outer, dataset = Dataset(), Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3"
    outer.ReferencedSOPSequence = [inner]
    dataset.Modality = "SEG"
    dataset.ReferencedSeriesSequence = [outer]
    dataset.ImageComments = "x" * 2000
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "one.dcm", dataset)
    rows = [(row["element"], row["data"]) for row in header_rows(tmp_path / "one.dcm")]
    assert rows[-5:] == [
        ("(0008,0060)", "SEG"),
        ("(0008,1115)", ""),
        (">(0008,1199)", ""),
        (">>(0008,1155)", "1.2.3"),
        ("(0020,4000)", ""),
    ]
    assert ("(0002,0010)", str(ExplicitVRLittleEndian)) in rows
