"""Small archives, random archives, and the index of the Imaging Data Commons."""

from collections.abc import Callable
from typing import Any

import idc_index_data
import polars as pl
import pytest
from hypothesis import strategies as st

from modality_assets.catalogue.split.profile import PROFILE_SCHEMA, SHARED_SCHEMA, conform_profile
from modality_assets.modality import CLASS_OF_CODE, CLASSES, SPLITS

SIMULATED = ("victre", "gbm_dsc_mri_dro")


def _profile(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Return a profile of rows (dataset, class, images, body parts, manufacturer); the last two may be left out."""
    table = []
    for dataset, modality, images, *rest in rows:
        parts = list(rest[0]) if rest else ["chest", "abdomen"]
        table.append(
            {
                "dataset": dataset,
                "modality": modality,
                "images": images,
                "series": 1,
                "patients": 1,
                "body_parts": parts,
                "body_part_images": [images // max(len(parts), 1)] * len(parts),
                "manufacturers": [rest[1]] if len(rest) > 1 else ["siemens"],
                "formats": ["DICOM"],
                "licences": ["CC BY 4.0"],
            }
        )
    return conform_profile(pl.DataFrame(table, schema=PROFILE_SCHEMA))


def _shared(*pairs: tuple[str, str]) -> pl.DataFrame:
    """Return what `shared_patients` would measure of these pairs."""
    rows = [
        {"dataset": min(pair), "other": max(pair), "patients": 3, "example": "PATIENT-17", "telling": True}
        for pair in pairs
    ]
    return pl.DataFrame(rows, schema=SHARED_SCHEMA)


@pytest.fixture(scope="session")
def profile_of() -> Callable[..., pl.DataFrame]:
    return _profile


@pytest.fixture(scope="session")
def shared_of() -> Callable[..., pl.DataFrame]:
    return _shared


@pytest.fixture(scope="session")
def no_kinship() -> pl.DataFrame:
    """A curated table that knows of nothing."""
    return pl.DataFrame(schema=dict.fromkeys(("dataset", "other", "relation", "source"), pl.String))


@pytest.fixture(scope="session")
def archives() -> st.SearchStrategy[tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]]:
    """Random archives: a profile, the pairs that share patients, and pins."""
    return _archives()


@st.composite
def _archives(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    names = [f"d{number:02}" for number in range(draw(st.integers(1, 14)))]
    rows = []
    for name in names:
        for modality in draw(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=3, unique=True)):
            parts = draw(st.lists(st.sampled_from(["chest", "knee", "brain", "breast"]), max_size=3, unique=True))
            images = draw(st.one_of(st.integers(0, 20), st.integers(100, 300_000)))
            rows.append((name, modality, images, parts, draw(st.sampled_from(["ge", "siemens", "philips"]))))
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=4))
    pins = draw(st.dictionaries(st.sampled_from(names), st.sampled_from(SPLITS), max_size=3))
    return _profile(*rows), _shared(*{tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]}), pins


@pytest.fixture(scope="session")
def idc_series() -> pl.DataFrame:
    """The series of the six modalities in the index of the Imaging Data Commons, simulated collections left out.

    A plain reading of the index, without the catalogue's policies: what is checked here is the planner.
    """
    index = pl.scan_parquet(idc_index_data.IDC_INDEX_PARQUET_FILEPATH).filter(
        pl.col("Modality").is_in(list(CLASS_OF_CODE))
        & pl.col("analysis_result_id").is_null()
        & ~pl.col("collection_id").is_in(SIMULATED)
    )
    return index.select(
        dataset="collection_id",
        patient_id="PatientID",
        modality=pl.col("Modality").replace(CLASS_OF_CODE),
        body_part=pl.col("BodyPartExamined").str.to_lowercase().str.split(",").list.first(),
        manufacturer=pl.col("Manufacturer").str.split(",").list.first(),
        format=pl.lit("DICOM"),
        licence="license_short_name",
        planned_images="instanceCount",
        release="series_init_idc_version",
        doi=pl.col("source_DOI").str.to_lowercase(),
    ).collect()
