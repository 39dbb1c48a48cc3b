"""The tables that describe a catalogue and a cohort before anything is fetched; whoever calls prints them."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from modality_assets.catalogue.body_parts import unknown_shares
from modality_assets.catalogue.cohort import GB
from modality_assets.catalogue.decisions import PolicyCount
from modality_assets.catalogue.dissertation import dissertation_cohort
from modality_assets.catalogue.policies import POLICIES

PLAN_COLUMNS = ("dataset", "patient_id", "modality", "body_part", "planned_images", "size_bytes", "kept")
"""The columns of the catalogue's series that `plan_tables` looks at."""


def plan_tables(
    series: pl.DataFrame,
    counts: Mapping[str, PolicyCount],
    cohort: pl.DataFrame,
    lock: Mapping[str, Any],
    collections: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """Return what a plan says, by title.

    ``policies``: policy, on, applies, left_out, images_left_out, description. ``kept`` and ``cohort``, per
    class: modality, datasets, patients, series, images, gigabytes (1e9 bytes). ``body_parts``, per class of
    the kept series: modality, series, unknown, unknown_share. For the published cohort also ``published``
    (status, datasets, train, validate, test) and ``missing`` (name, split, status, where).
    """
    tables = {
        "policies": policies_table(counts),
        "kept": _per_class(series.filter("kept")),
        "cohort": _per_class(cohort),
        "body_parts": unknown_shares(series),
    }
    if lock.get("cohort") == "dissertation":
        rows = dissertation_cohort(collections, series)
        splits = [(pl.col("split") == name).sum().alias(name) for name in ("train", "validate", "test")]
        tables["published"] = rows.group_by("status").agg(pl.len().alias("datasets"), *splits).sort("status")
        tables["missing"] = rows.filter(pl.col("status") != "available").select("name", "split", "status", "where")
    return tables


def policies_table(counts: Mapping[str, PolicyCount]) -> pl.DataFrame:
    """Return the counts of `decide` as a table, one row per policy in the order asked, with what it does."""
    described = {policy.name: policy.description for policy in POLICIES}
    return pl.DataFrame([{"policy": name, **count, "description": described[name]} for name, count in counts.items()])


def _per_class(series: pl.DataFrame) -> pl.DataFrame:
    return (
        series.group_by("modality")
        .agg(
            datasets=pl.col("dataset").n_unique(),
            patients=pl.struct("dataset", "patient_id").n_unique(),
            series=pl.len(),
            images=pl.col("planned_images").sum(),
            gigabytes=(pl.col("size_bytes").sum() / GB).round(3),
        )
        .sort("modality")
    )
