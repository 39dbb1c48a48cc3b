"""From files with headers to series: what belongs together, and identities for what has none."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from modality_assets.archives.datasets_csv import DatasetRow
from modality_assets.archives.folder_scan import ScannedFile


def made_up_uid(dataset: str, what: str) -> str:
    """Return a UID for something without one: always the same for the same dataset and text.

    ``2.25.`` and a whole number of 128 bits, the form that PS3.5 B.2 keeps for UIDs that nobody assigned.
    """
    number = int.from_bytes(hashlib.sha256(f"{dataset}/{what}".encode()).digest()[:16], "big")
    return f"2.25.{number}"


def series_rows(
    row: DatasetRow, files: list[ScannedFile], reference: Callable[[DatasetRow, list[ScannedFile]], str]
) -> list[dict[str, Any]]:
    """Return the rows of `RAW_SERIES_SCHEMA` for the files of one line of datasets.csv.

    Files with the same SeriesInstanceUID are one series, wherever they lie; a file without one is a series
    by itself unless its layout says more.
    """
    groups: dict[str, list[ScannedFile]] = {}
    for file in files:
        groups.setdefault(_series_uid(row, file), []).append(file)
    return [_series(row, uid, group, reference(row, group)) for uid, group in groups.items()]


def _series_uid(row: DatasetRow, file: ScannedFile) -> str:
    if file.header.series_uid:
        return file.header.series_uid
    return made_up_uid(row.dataset, f"series/{row.written_modality}/{file.member.series or file.member.path}")


def _series(row: DatasetRow, uid: str, files: list[ScannedFile], reference: str) -> dict[str, Any]:
    header, member = files[0].header, files[0].member
    patient = member.patient or member.study or member.series or member.path
    study = member.study or member.series or member.path
    named = f"{row.dataset}/{member.patient}" if member.patient else None  # 'patient00001' is in MURA and in CheXpert
    return {
        "dataset": row.dataset,
        "patient_id": header.patient_id
        or named
        or made_up_uid(row.dataset, f"patient/{row.written_modality}/{patient}"),
        "study_uid": header.study_uid or made_up_uid(row.dataset, f"study/{row.written_modality}/{study}"),
        "series_uid": uid,
        "modality_tag": _joined(file.header.modality_tag for file in files),
        "declared_modality": row.modality,
        "sop_class_uid": _joined(file.header.sop_class_uid for file in files),
        "transfer_syntax_uid": _joined(file.header.transfer_syntax_uid for file in files),
        "photometric": _joined(file.header.photometric for file in files),
        "image_type": _joined(file.header.image_type for file in files),
        "body_part_raw": row.body_part
        or member.body_part
        or _joined(file.header.body_part for file in files)
        or row.several_body_parts,
        "manufacturer": _joined(file.header.manufacturer for file in files),
        "manufacturer_model": _joined(file.header.manufacturer_model for file in files),
        "series_description": _joined(file.header.series_description for file in files),
        "format": header.format,
        "instances": sum(file.instances for file in files),
        "planned_images": sum(file.header.frames * file.instances for file in files),
        "size_bytes": sum(file.size_bytes for file in files),
        "licence": row.licence,
        "analysis_result": False,
        "archive_ref": reference,
    }


def _joined(values: Iterable[str | None]) -> str | None:
    """The distinct values, joined by commas as the large indexes do it; None if there is none."""
    return ",".join(dict.fromkeys(value for value in values if value)) or None
