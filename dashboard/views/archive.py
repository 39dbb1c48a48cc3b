"""Archive: what it holds, how it grew, why series were left out."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import chart, choose, section, start_page, table
from modality_assets.modality import CLASSES

_BY = {
    "dataset": "Dataset",
    "body_part": "Body part",
    "manufacturer": "Manufacturer",
    "licence": "Licence",
    "format": "File format",
}
_MOST = 25
_MOST_ROWS = 5_000
_IDC_VIEWER = "https://viewer.imaging.datacommons.cancer.gov/v3/viewer/?StudyInstanceUIDs="

results = start_page("Archive", "What the archive offers, what is kept of it, and why the rest is left out.")


def show_classes() -> None:
    manifest, source = results.catalogue()
    collections = results.collections()
    images = {name: int(collections[f"images_{name.lower()}"].sum()) for name in CLASSES}
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.metric("Datasets", labels.count(manifest.counts.get("collections", len(collections))))
        st.metric("Series offered", labels.count(manifest.counts.get("series", 0)))
        st.metric("Series kept", labels.count(manifest.counts.get("series_kept", 0)))
        st.metric("Images kept", labels.count(manifest.counts.get("images_kept", 0)))
    with right:
        chart(
            charts.images_per_class(images),
            name="images-per-class",
            source=source,
            data=pl.DataFrame({"modality": list(images), "images": list(images.values())}),
            n=sum(images.values()),
            unit="images (frames) that are kept",
        )


def show_breakdown() -> None:
    _, source = results.catalogue()
    by = choose("Images by", list(_BY), "by", words=_BY.__getitem__)
    counted = results.images_by(by)
    values = counted[by].n_unique()
    if values > _MOST:
        st.caption(f"The {_MOST} with the most images of {values}; the CSV has all.")
    chart(
        charts.bars_by_class(counted, by, most=_MOST),
        name=f"images-by-{by}",
        source=source,
        data=counted,
        n=counted["images"].sum(),
        unit="images (frames)",
    )


def show_growth() -> None:
    _, source = results.catalogue()
    table_of_releases = (
        results.images_by("first_release")
        .filter(pl.col("first_release") != "not stated")
        .group_by(pl.col("first_release").str.slice(0, 10).alias("release"), "modality")
        .agg(pl.col("images").sum())
        .sort("release", "modality")
    )
    if table_of_releases.is_empty():
        st.write("The archive does not say when its series were released.")
        return
    chart(
        charts.growth(table_of_releases),
        name="growth",
        source=source,
        data=table_of_releases,
        n=table_of_releases["images"].sum(),
        unit="images, cumulated",
    )


def show_left_out() -> None:
    _, source = results.catalogue()
    reasons = results.left_out()
    left = int(reasons["series"].sum())
    if reasons["kept"].all():
        st.write(f"None was: all {labels.count(left)} series are kept.")
        return
    steps = [("offered by the archive", left)]
    for row in reasons.filter(~pl.col("kept")).iter_rows(named=True):
        left -= row["series"]
        name = row["reason"].split(":", 1)[0]
        steps.append((f"less {row['series']:,} {labels.rule(name).lower()}", left))
    steps.append(("kept", left))
    chart(
        charts.funnel(steps),
        name="left-out",
        source=source,
        data=reasons,
        n=steps[0][1],
        of="series",
        unit="series that are left after each reason",
    )
    for row in reasons.filter(~pl.col("kept")).iter_rows(named=True):
        st.markdown(f"- {labels.count(row['series'])} series, {labels.count(row['images'])} images: {row['reason']}")


def show_search() -> None:
    _, source = results.catalogue()
    text = st.text_input(
        "Search", st.query_params.get("search", ""), placeholder="a dataset, body part, maker, series description …"
    )
    if text:
        st.query_params["search"] = text
    elif "search" in st.query_params:
        del st.query_params["search"]
    columns = ["dataset", "patient_id", "modality_tag", "modality", "body_part", "manufacturer", "series_description"]
    rows = results.series()
    for word in text.lower().split():
        anywhere = pl.concat_str([pl.col(name).fill_null("") for name in columns], separator=" ")
        rows = rows.filter(anywhere.str.to_lowercase().str.contains(word, literal=True))
    found = (
        rows.select(*columns, "planned_images", "licence", "kept", "reason", "study_uid", "series_uid")
        .rename({"planned_images": "images"})
        .head(_MOST_ROWS)
        .collect(engine="streaming")
    )
    if (results.archive() or "").startswith("idc"):
        found = found.with_columns(link=_IDC_VIEWER + pl.col("study_uid"))
    if len(found) == _MOST_ROWS:
        st.caption(f"The first {_MOST_ROWS:,} series; search for fewer.")
    link = {"link": st.column_config.LinkColumn("Look at it", display_text="IDC viewer")} if "link" in found else {}
    table(found.drop("study_uid"), name="series", source=source, of="series", config=link)


def show_datasets() -> None:
    _, source = results.catalogue()
    collections = results.collections()
    shown = collections.select(
        "dataset",
        "title",
        "patients",
        "series",
        *(f"images_{name.lower()}" for name in CLASSES),
        "body_parts",
        "licences",
        "first_release",
        "revised_release",
        doi=pl.when(pl.col("doi").is_not_null()).then("https://doi.org/" + pl.col("doi")),
    )
    doi = {"doi": st.column_config.LinkColumn("DOI", display_text="https://doi.org/(.*)")}
    table(shown, name="datasets", source=source, of="datasets", config=doi)


section("Images per class", show_classes)
section("What the images are", show_breakdown)
section("Growth over releases", show_growth)
section("Why series were left out", show_left_out)
section("Datasets", show_datasets)
section("Search in every series", show_search)
