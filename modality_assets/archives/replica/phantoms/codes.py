"""Coded terms, and what DICOM asks for by the part of the body."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

MAY_BE_PAIRED = (None, "BREAST", "EXTREMITY", "HAND", "KIDNEY", "KNEE")
"""Parts for which Laterality (0020,0060) must be there, if only empty: type 2C."""


def code_item(value: str, meaning: str) -> Sequence:
    """Return a code sequence with one SNOMED CT term: PS3.3 table 8.8-1."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return Sequence([item])
