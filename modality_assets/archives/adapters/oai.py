"""Osteoarthritis Initiative: DICOM by participant, date and barcode, packed or unpacked.

    00m/0.E.1/9000099/20050811/00193604.tar.gz      one archive of one series, as delivered,
    00m/0.E.1/9000099/20050811/00193604/001         or unpacked: DICOM files without extension

Whatever lies above the participant's folder may be named otherwise. The initiative holds radiographs and
MR: give each modality its own folder and its own line of datasets.csv.
"""

from collections.abc import Iterator
from pathlib import Path

from modality_assets.archives.adapters.member import Member, matching

_SERIES = r"(9\d{6})/(\d{8})/(\d{8,})"


def members(folder: Path) -> Iterator[Member]:
    """Yield each archive, and each file of an unpacked one; the barcode is the series."""
    for path, found in matching(folder, rf"{_SERIES}(?:(\.tar\.gz|\.tgz|\.tar)|/[^/]+)"):
        patient, date, barcode = found[1], found[2], found[3]
        yield Member(
            path,
            patient=patient,
            study=f"{patient}/{date}",
            series=f"{patient}/{date}/{barcode}",
            packed=found[4] is not None,
        )
