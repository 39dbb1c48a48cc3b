"""Quality: files refused and why, verification, the time that each step takes."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import chart, section, start_page, table
from dashboard.results import NotMaterialisedError, Source

results = start_page("Quality", "What was refused and why, what failed verification, and where the time goes.")


def show_quarantine() -> None:
    rows, source = results.quarantine()
    images = sum(one.counts.get("images", 0) for one in results.manifests("decoded_images"))
    if rows.is_empty():
        st.success(f"No file was refused: {labels.count(images)} images were decoded.")
        return
    st.markdown(
        f"**{labels.count(len(rows))}** files or frames were refused; {labels.count(images)} images were decoded."
    )
    rows = rows.with_columns(pl.col("error").map_elements(labels.error, return_dtype=pl.String))
    counted = rows.group_by("error").agg(pl.len().alias("images")).sort("images", "error", descending=[True, False])
    chart(
        charts.plain_bars(counted["error"].to_list(), counted["images"].to_list(), unit="files or frames"),
        name="quarantine-reasons",
        source=source,
        data=counted,
        n=len(rows),
        of="files or frames refused",
        unit="files or frames",
    )
    table(rows, name="quarantine", source=source, of="files or frames")


def show_verification() -> None:
    found = results.manifests("source_files")
    if not found:
        raise NotMaterialisedError("source_files")
    rows = pl.DataFrame(
        [
            {
                "dataset": one.partition,
                "series": one.counts.get("series", 0),
                "Series not verified": one.counts.get("incomplete", 0),
                "gb": one.counts.get("bytes_fetched", 0) / 1e9,
                "seconds": one.seconds,
            }
            for one in found
        ]
    ).sort("Series not verified", "dataset", descending=[True, False])
    missing = int(rows["Series not verified"].sum())
    if missing:
        st.warning(f"{labels.count(missing)} series are missing or failed verification.")
    else:
        st.success(f"Every byte of {labels.count(rows['series'].sum())} series was verified.")
    newest = max(one.created_utc for one in found)
    table(
        rows,
        name="verification",
        source=Source("source_files", None, newest),
        of="datasets",
    )


def show_times() -> None:
    rows = []
    for asset in labels.ASSETS:
        for one in results.manifests(asset):
            images = one.counts.get("images")
            rate = images / one.seconds if isinstance(images, int) and one.seconds else None
            rows.append(
                {
                    "asset": labels.ASSETS[asset],
                    "Part": one.partition or "whole",
                    "seconds": one.seconds,
                    "images": images,
                    "images_per_second": rate,
                }
            )
    if not rows:
        raise NotMaterialisedError("collection_catalogue")
    parts = pl.DataFrame(rows, infer_schema_length=None).sort("seconds", descending=True)
    steps = parts.group_by("asset").agg(pl.col("seconds").sum()).sort("seconds", descending=True)
    chart(
        charts.plain_bars(steps["asset"].to_list(), steps["seconds"].to_list(), unit="seconds, all parts together"),
        name="seconds-per-step",
        source=Source("the manifest of every result"),
        data=steps,
        n=len(parts),
        of="results",
        unit="seconds, all parts together, as their manifests say",
    )
    table(
        parts.head(200),
        name="slowest-parts",
        source=Source("the manifest of every result"),
        of="results, the slowest first",
    )


section("Files refused", show_quarantine)
section("Verification", show_verification)
section("Where the time goes", show_times)
