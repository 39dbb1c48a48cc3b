"""The tables of the catalogue: what an archive answers, and what the catalogue makes of it.

An archive hands over *raw* series and collections; the catalogue adds the class, the body part, and
for every series whether it is kept and why. No row is ever dropped on the way.
"""

from collections.abc import Mapping

import polars as pl

RAW_SERIES_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "patient_id": pl.String(),
    "study_uid": pl.String(),
    "series_uid": pl.String(),
    "modality_tag": pl.String(),
    "declared_modality": pl.String(),
    "sop_class_uid": pl.String(),
    "transfer_syntax_uid": pl.String(),
    "photometric": pl.String(),
    "image_type": pl.String(),
    "body_part_raw": pl.String(),
    "manufacturer": pl.String(),
    "manufacturer_model": pl.String(),
    "series_description": pl.String(),
    "format": pl.String(),
    "instances": pl.Int64(),
    "planned_images": pl.Int64(),
    "size_bytes": pl.Int64(),
    "licence": pl.String(),
    "first_release": pl.String(),
    "revised_release": pl.String(),
    "analysis_result": pl.Boolean(),
    "archive_ref": pl.String(),
}
"""What an archive returns, one row per series.

``modality_tag`` is DICOM Modality (0008,0060) as it stands; ``declared_modality`` is a class that a
datasets.csv states, and wins over the tag. ``format`` is one of `FORMATS`. ``instances`` counts files,
``planned_images`` frames: instances x NumberOfFrames, slices of a volume along its last spatial axis.
Values that differ inside one series are joined by commas. ``archive_ref`` is how the archive finds the
series again, and means nothing to anybody else.
"""

RAW_COLLECTION_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "title": pl.String(),
    "doi": pl.String(),
    "archive": pl.String(),
    "licences": pl.String(),
    "tumour_locations": pl.String(),
    "first_release": pl.String(),
    "revised_release": pl.String(),
    "retired": pl.Boolean(),
    "synthetic": pl.Boolean(),
}
"""What an archive says of its collections, one row per dataset; ``licences`` are joined by '; '."""

SERIES_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "patient_id": pl.String(),
    "study_uid": pl.String(),
    "series_uid": pl.String(),
    "modality_tag": pl.String(),
    "modality": pl.String(),
    "sop_class_uid": pl.String(),
    "transfer_syntax_uid": pl.String(),
    "photometric": pl.String(),
    "body_part": pl.String(),
    "body_part_raw": pl.String(),
    "manufacturer": pl.String(),
    "manufacturer_model": pl.String(),
    "series_description": pl.String(),
    "instances": pl.Int64(),
    "planned_images": pl.Int64(),
    "size_bytes": pl.Int64(),
    "licence": pl.String(),
    "first_release": pl.String(),
    "revised_release": pl.String(),
    "kept": pl.Boolean(),
    "reason": pl.String(),
    "archive_ref": pl.String(),
    "declared_modality": pl.String(),
    "image_type": pl.String(),
    "format": pl.String(),
    "analysis_result": pl.Boolean(),
}
"""catalogue/series.parquet: the raw columns, and class, body part, whether kept, and the reason.

``modality`` is a class of `modality_assets.modality.CLASSES` or null; ``reason`` is never null: a kept
series says that it is kept.
"""

COLLECTION_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "title": pl.String(),
    "doi": pl.String(),
    "archive": pl.String(),
    "licences": pl.String(),
    "first_release": pl.String(),
    "revised_release": pl.String(),
    "patients": pl.Int64(),
    "series": pl.Int64(),
    "images_ct": pl.Int64(),
    "images_mr": pl.Int64(),
    "images_pt": pl.Int64(),
    "images_xr": pl.Int64(),
    "body_parts": pl.String(),
    "retired": pl.Boolean(),
    "tumour_locations": pl.String(),
    "synthetic": pl.Boolean(),
    "series_kept": pl.Int64(),
    "size_bytes_kept": pl.Int64(),
}
"""catalogue/collections.parquet, one row per dataset; images, body parts and sizes count kept series."""

FORMATS = ("DICOM", "NIfTI", "NRRD", "MetaImage", "PNG", "JPEG", "TIFF", "PGM", "NPY")
"""The file formats a series may have."""


class CatalogueError(ValueError):
    """A table of the catalogue is not what it must be, or a choice asked of it cannot be made."""


def conform(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return ``frame`` with exactly the columns of ``schema``, in its order and types.

    Columns that are missing become null, columns that ``schema`` does not know are left behind. Raises
    `CatalogueError` naming the column where values do not fit the type, or where a dataset or a series
    has no name.
    """
    columns = []
    for name, dtype in schema.items():
        if name not in frame.columns:
            columns.append(pl.Series(name, [None], dtype=dtype).new_from_index(0, frame.height))
            continue
        try:
            columns.append(frame.get_column(name).cast(dtype))
        except pl.exceptions.PolarsError as error:
            raise CatalogueError(
                f"column {name!r} should be {dtype} and is {frame.schema[name]}: {str(error).splitlines()[0]}; "
                "correct what the archive answers"
            ) from None
    conformed = pl.DataFrame(columns)
    for name in ("dataset", "series_uid"):
        if name in schema and conformed.get_column(name).null_count():
            raise CatalogueError(f"column {name!r} has {conformed.get_column(name).null_count()} rows without a value")
    return conformed
