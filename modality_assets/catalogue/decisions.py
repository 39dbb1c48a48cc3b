"""Every series of an archive with its class, its body part, whether it is kept, and why."""

from collections.abc import Mapping
from typing import TypedDict

import polars as pl

from modality_assets.catalogue.body_parts import body_parts
from modality_assets.catalogue.policies import POLICIES, PROJECT_PHANTOMS, is_simulated, resolve_switches
from modality_assets.catalogue.series import (
    RAW_COLLECTION_SCHEMA,
    RAW_SERIES_SCHEMA,
    SERIES_SCHEMA,
    CatalogueError,
    conform,
)
from modality_assets.modality import CLASS_OF_CODE, CLASSES

KEPT = "kept"
"""The reason of a kept series."""


class PolicyCount(TypedDict):
    """What one policy did.

    ``applies`` counts the series that it would refuse by itself (of those with a class, for a policy that
    may be switched), ``left_out`` and ``images_left_out`` what it was the first to refuse.
    """

    on: bool
    applies: int
    left_out: int
    images_left_out: int


def decide(
    raw_series: pl.DataFrame,
    raw_collections: pl.DataFrame,
    switches: Mapping[str, bool] | None = None,
    excluded: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame, dict[str, PolicyCount]]:
    """Decide on every series; return the series table (`SERIES_SCHEMA`) and the counts of the policies.

    ``switches`` turns policies on or off by name over their defaults; ``excluded`` maps a dataset to the
    reason for leaving it out. Rows come back sorted by dataset, patient, study and series, whatever their
    order was, and none is dropped: a series that is left out says ``<policy>: <why>`` in ``reason``.

    The counts are by policy, in the order asked, JSON-able: see `PolicyCount`.

    Raises `CatalogueError` for an unknown policy, a class that does not exist, and a malformed table.
    """
    on = resolve_switches(switches or {})
    series = _with_facts(
        conform(raw_series, RAW_SERIES_SCHEMA), conform(raw_collections, RAW_COLLECTION_SCHEMA), excluded or {}
    )
    refusals = [(policy, *policy.refuse()) for policy in POLICIES]
    verdicts = series.select(condition.fill_null(False).alias(policy.name) for policy, condition, _ in refusals)
    reason, first = pl.lit(KEPT), pl.lit(None, pl.String)
    for policy, _, why in reversed(refusals):
        if on[policy.name]:
            said = pl.lit(f"{policy.name}: {why}") if isinstance(why, str) else pl.format(policy.name + ": {}", why)
            reason = pl.when(pl.col(f"refused_by_{policy.name}")).then(said).otherwise(reason)
            first = pl.when(pl.col(f"refused_by_{policy.name}")).then(pl.lit(policy.name)).otherwise(first)
    decided = series.hstack(verdicts.rename(lambda name: f"refused_by_{name}").get_columns()).with_columns(
        reason=reason, first_refusal=first
    )
    decided = decided.with_columns(kept=pl.col("first_refusal").is_null())
    counts = _counts(decided, verdicts, on)
    return decided.select(*SERIES_SCHEMA), counts


def _with_facts(series: pl.DataFrame, collections: pl.DataFrame, excluded: Mapping[str, str]) -> pl.DataFrame:
    order = ["dataset", "patient_id", "study_uid", "series_uid"]
    unique = series.get_column("series_uid").n_unique() == series.height
    if not unique:  # then every column decides, so that chance does not
        order += [name for name in series.columns if name not in order]
    series = series.sort(order)
    facts = collections.unique("dataset", keep="first", maintain_order=True).select(
        "dataset", "retired", simulated=simulated()
    )
    reasons = pl.DataFrame(
        {"dataset": list(excluded), "excluded_reason": list(excluded.values())},
        schema={"dataset": pl.String, "excluded_reason": pl.String},
    )
    # Joined on the one column and laid beside the rest, which spares copying a million rows of text twice.
    of_dataset = (
        series.select("dataset")
        .join(facts, on="dataset", how="left", maintain_order="left")
        .join(reasons, on="dataset", how="left", maintain_order="left")
        .drop("dataset")
    )
    return series.hstack([*of_dataset, *_classes(series)]).with_columns(
        planned_images=pl.coalesce("planned_images", "instances"),
        simulated=pl.coalesce("simulated", is_simulated(pl.col("dataset"))),
        repeated=pl.lit(False) if unique else ~pl.col("series_uid").is_first_distinct(),
        body_part=body_parts(series, collections).get_column("body_part"),
    )


def simulated() -> pl.Expr:
    """Return whether a row of the raw collections is a simulated collection of an archive.

    True for the names in `SIMULATED` and for collections flagged ``synthetic``, save the project's own
    phantoms and those of an archive that is synthetic as a whole, whose user has asked for nothing else.
    """
    flagged = pl.col("synthetic").fill_null(False)
    stays = pl.col("dataset").str.starts_with(PROJECT_PHANTOMS) | flagged.all()
    return is_simulated(pl.col("dataset")) | (flagged & ~stays)


def _classes(series: pl.DataFrame) -> pl.DataFrame:
    """Return (modality, classes_found) per row; the declared class wins, comma-joined codes count each."""
    stated = series.select(stated=pl.coalesce("declared_modality", "modality_tag")).get_column("stated")
    unknown = set(series.get_column("declared_modality").drop_nulls().unique()) - {*CLASSES, *CLASS_OF_CODE}
    if unknown:
        raise CatalogueError(
            f"declared modality {sorted(unknown)[0]!r} is neither a class ({', '.join(CLASSES)}) nor one of the codes "
            f"{', '.join(CLASS_OF_CODE)}; correct the dataset's row in datasets.csv"
        )
    found = {text: _classes_of(text) for text in stated.drop_nulls().unique().to_list()}
    table = pl.DataFrame(
        {
            "stated": list(found),
            "modality": [next(iter(classes)) if len(classes) == 1 else None for classes in found.values()],
            "classes_found": [len(classes) for classes in found.values()],
        },
        schema={"stated": pl.String, "modality": pl.String, "classes_found": pl.Int64},
    )
    return (
        stated.to_frame()
        .join(table, on="stated", how="left", maintain_order="left")
        .select("modality", pl.col("classes_found").fill_null(0))
    )


def _classes_of(text: str) -> set[str]:
    codes = [code.strip().upper() for code in text.split(",")]
    return {
        code if code in CLASSES else CLASS_OF_CODE[code] for code in codes if code in CLASSES or code in CLASS_OF_CODE
    }


def _counts(decided: pl.DataFrame, verdicts: pl.DataFrame, on: Mapping[str, bool]) -> dict[str, PolicyCount]:
    has_class = decided.get_column("modality").is_not_null()
    first = decided.group_by("first_refusal").agg(series=pl.len(), images=pl.col("planned_images").sum())
    left_out = {name: (series, images) for name, series, images in first.iter_rows()}
    counts = {}
    for policy in POLICIES:
        applies = verdicts[policy.name] if policy.required else verdicts[policy.name] & has_class
        series, images = left_out.get(policy.name, (0, 0))
        counts[policy.name] = PolicyCount(
            on=on[policy.name], applies=int(applies.sum() or 0), left_out=series, images_left_out=images
        )
    return counts
