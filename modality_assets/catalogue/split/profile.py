"""What each dataset would bring to a split: images, patients, body parts, makers, formats, licences.

And which datasets share patients, as far as the PatientID (0010,0020) says so.
"""

from collections.abc import Mapping

import polars as pl

from modality_assets.catalogue.split.errors import ProfileError
from modality_assets.modality import CLASSES

PROFILE_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "modality": pl.String(),
    "images": pl.Int64(),
    "series": pl.Int64(),
    "patients": pl.Int64(),
    "body_parts": pl.List(pl.String),
    "body_part_images": pl.List(pl.Int64),
    "manufacturers": pl.List(pl.String),
    "formats": pl.List(pl.String),
    "licences": pl.List(pl.String),
}
"""One row per dataset and class. ``images`` are planned frames after the caps; ``body_part_images`` are
the images of each of ``body_parts``, in the same order and before any cap. Unknown values are not listed."""

SHARED_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "other": pl.String(),
    "patients": pl.Int64(),
    "example": pl.String(),
    "telling": pl.Boolean(),
}
"""One row per pair of datasets, ``dataset`` < ``other``, that have PatientIDs in common."""

NO_BODY_PARTS = ("unknown", "phantom")
"""Answers of the catalogue to "which body part?" that name none."""

LEAST_SHARE = 0.01
"""A body part, maker or licence is listed where it makes at least this share of the dataset's images of the class:
two mislabelled series do not make a chest collection one of the abdomen."""

_TELLING_LENGTH = 5
_TELLING_DATASETS = 4
_PLACEHOLDER = r"(?i)^(anon.*|unknown.*|none|null|test.*|phantom.*|(patient|subject|sub|case)\W*\d{0,3}|0+\d{0,2})$"


def profile_datasets(cohort_series: pl.DataFrame, caps: Mapping[str, int] | None = None) -> pl.DataFrame:
    """Return the profile (`PROFILE_SCHEMA`) of the datasets in ``cohort_series``, sorted.

    ``cohort_series`` has at least dataset, modality and planned_images, one row per series; a ``kept``
    column, where present, is obeyed, and series without a class are left out. ``caps`` are the most
    images of a class that one dataset counts for; a cohort that was chosen under caps needs none.
    Raises `ProfileError` naming a missing column.
    """
    for name in ("dataset", "modality", "planned_images"):
        if name not in cohort_series.columns:
            raise ProfileError(f"the cohort has no column {name!r}; a profile is made from a cohort's series table")
    series = cohort_series.filter(pl.col("modality").is_in(CLASSES) & (pl.col("planned_images") > 0))
    if "kept" in series.columns:
        series = series.filter(pl.col("kept"))
    optional = ("patient_id", "body_part", "manufacturer", "format", "licence")
    series = series.with_columns(pl.lit(None, pl.String).alias(name) for name in optional if name not in series.columns)
    makers = {name: maker(name) for name in series.get_column("manufacturer").drop_nulls().unique()}
    series = series.with_columns(
        pl.when(~pl.col("body_part").is_in(NO_BODY_PARTS)).then("body_part"),
        pl.col("manufacturer").replace_strict(list(makers), list(makers.values()), return_dtype=pl.String),
    )
    keys = ["dataset", "modality"]
    profile = series.group_by(keys).agg(
        images=pl.col("planned_images").sum(),
        series=pl.len(),
        patients=pl.col("patient_id").drop_nulls().n_unique(),
        formats=pl.col("format").drop_nulls().unique().sort(),
    )
    for name, column in (("body_parts", "body_part"), ("manufacturers", "manufacturer"), ("licences", "licence")):
        profile = profile.join(_listed(series, keys, column, name), on=keys, how="left")
    capped = pl.lit(None, pl.Int64)
    for modality, cap in (caps or {}).items():
        capped = pl.when(pl.col("modality") == modality).then(pl.lit(cap, pl.Int64)).otherwise(capped)
    return conform_profile(profile.with_columns(images=pl.min_horizontal("images", capped)))


def conform_profile(profile: pl.DataFrame) -> pl.DataFrame:
    """Return ``profile`` with every column of `PROFILE_SCHEMA`, sorted by dataset and class.

    Missing lists become empty; where the images of each body part are not given, the body parts count as
    equal. Rows of one dataset and class that were given twice are an error, as are
    unknown classes and negative images: raises `ProfileError`.
    """
    for name in ("dataset", "modality", "images"):
        if name not in profile.columns:
            raise ProfileError(f"the profile has no column {name!r}; make it with `profile_datasets`")
    columns: list[pl.Expr] = []
    for name, dtype in PROFILE_SCHEMA.items():
        if name not in profile.columns:
            empty = pl.lit([], dtype) if isinstance(dtype, pl.List) else pl.lit(0, dtype)
            columns.append(empty.alias(name))
        elif isinstance(dtype, pl.List):
            columns.append(pl.col(name).cast(dtype).fill_null(pl.lit([], dtype)))
        else:
            columns.append(pl.col(name).cast(dtype))
    frame = profile.select(columns).sort("dataset", "modality")
    if frame.get_column("dataset").null_count():
        raise ProfileError("the profile has a dataset without a name")
    strange = sorted(set(frame.get_column("modality").to_list()) - set(CLASSES), key=str)
    if strange:
        raise ProfileError(f"the profile has the classes {strange}; the classes are {', '.join(CLASSES)}")
    if frame.select("dataset", "modality").is_duplicated().any():
        raise ProfileError("the profile has two rows for one dataset and class; make it with `profile_datasets`")
    if frame.filter(pl.col("images").is_null() | (pl.col("images") < 0)).height:
        raise ProfileError("the profile has a row without a number of images")
    return frame.with_columns(body_part_images=_images_of_parts(frame))


def shared_patients(cohort_series: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of datasets with PatientIDs in common (`SHARED_SCHEMA`), sorted.

    ``telling`` is false where every common identifier looks like a placeholder or a plain number
    ('ANON', '001'), is shorter than five characters, or is used by more than four datasets: such
    pairs are shown, and do not bind.
    """
    if "patient_id" not in cohort_series.columns:
        return pl.DataFrame(schema=SHARED_SCHEMA)
    patient = pl.col("patient_id").str.strip_chars()
    uses = (
        cohort_series.lazy()
        .select("dataset", patient_id=patient)
        .filter(pl.col("patient_id").is_not_null() & (pl.col("patient_id") != ""))
        .unique()
        .with_columns(uses=pl.len().over("patient_id"))
        .filter(pl.col("uses") > 1)
        .with_columns(
            telling=(pl.col("patient_id").str.len_chars() >= _TELLING_LENGTH)
            & ~pl.col("patient_id").str.contains(_PLACEHOLDER)
            & (pl.col("uses") <= _TELLING_DATASETS)
        )
    )
    pairs = uses.join(uses.select("patient_id", other="dataset"), on="patient_id").filter(
        pl.col("dataset") < pl.col("other")
    )
    return (
        pairs.group_by("dataset", "other")
        .agg(
            patients=pl.col("patient_id").n_unique().cast(pl.Int64),
            example=pl.col("patient_id").sort_by(~pl.col("telling"), "patient_id").first(),
            telling=pl.col("telling").any(),
        )
        .select(*SHARED_SCHEMA)
        .sort("dataset", "other")
        .collect()
    )


def maker(manufacturer: str) -> str | None:
    """Return the first word of a Manufacturer (0008,0070) in lower case, which joins its many spellings.

    'GE MEDICAL SYSTEMS' and 'GE Healthcare' are both 'ge'; an empty value has no maker.
    """
    words = "".join(letter if letter.isalnum() else " " for letter in manufacturer.casefold()).split()
    return words[0] if words else None


def _images_of_parts(frame: pl.DataFrame) -> pl.Series:
    rows = frame.select("images", "body_parts", "body_part_images").iter_rows()
    counts = [
        given if len(given) == len(parts) else [images // len(parts)] * len(parts) for images, parts, given in rows
    ]
    return pl.Series("body_part_images", counts, dtype=PROFILE_SCHEMA["body_part_images"])


def _listed(series: pl.DataFrame, keys: list[str], column: str, name: str) -> pl.DataFrame:
    """Return per dataset and class the values of ``column`` that make at least `LEAST_SHARE` of its images."""
    images = pl.col("planned_images").sum()
    values = (
        series.group_by(*keys, column)
        .agg(images=images)
        .filter(pl.col("images") >= LEAST_SHARE * pl.col("images").sum().over(keys))
        .drop_nulls(column)
        .sort(*keys, column)
    )
    listed = [pl.col(column).alias(name)]
    if column == "body_part":
        listed.append(pl.col("images").alias("body_part_images"))
    return values.group_by(keys, maintain_order=True).agg(listed)
