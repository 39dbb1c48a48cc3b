"""Archive: what it holds, how it grew, why series were left out."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.choices import choose
from dashboard.exhibits import chart, table
from dashboard.presentation import section, start_page
from dashboard.results.archive import NOT_STATED
from dashboard.viewers import has_viewer, viewer_url
from modality_assets.modality import CLASSES

_BY = {
    "dataset": "dataset",
    "body_part": "body part",
    "manufacturer": "manufacturer",
    "licence": "licence",
    "format": "file format",
}
_MOST = 25
_MOST_ROWS = 5_000

results = start_page("Archive", "What the archive offers, what is kept of it, and why the rest is left out.")


def images_per_class() -> dict[str, int]:
    collections = results.archive.collections()
    return {name: int(collections[f"images_{name.lower()}"].sum()) for name in CLASSES}


def classes_in_words() -> str:
    images = images_per_class()
    most, least = max(images, key=lambda name: images[name]), min(images, key=lambda name: images[name])
    if not images[least]:
        return f"{most} has the most images, {least} has none"
    times = images[most] / images[least]
    return (
        f"{most} has the most images, {times:,.0f} times as many as {least}"
        if times >= 1.5
        else ("Every class has about as many images")
    )


def show_classes() -> None:
    manifest, source = results.archive.catalogue()
    images = images_per_class()
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(
            charts.images_per_class(images),
            name="images-per-class",
            source=source,
            data=pl.DataFrame({"modality": list(images), "images": list(images.values())}),
            n=sum(images.values()),
            unit="images (frames) that are kept",
        )
    with right:
        one, two = st.columns(2)
        one.metric("Datasets", labels.count(manifest.counts.get("collections", len(results.archive.collections()))))
        two.metric("Images kept", labels.count(manifest.counts.get("images_kept", 0)))
        one.metric("Series offered", labels.count(manifest.counts.get("series", 0)))
        two.metric("Series kept", labels.count(manifest.counts.get("series_kept", 0)))


def show_breakdown() -> None:
    _, source = results.archive.catalogue()
    by = choose("Images by", list(_BY), "by", words=_BY.__getitem__, width=220)
    counted = results.archive.images_by(by)
    values = counted[by].n_unique()
    some = f"; the {_MOST} with the most of {values}, the CSV has all" if values > _MOST else ""
    chart(
        charts.bars_by_class(counted, by, most=_MOST),
        name=f"images-by-{by}",
        source=source,
        data=counted,
        n=counted["images"].sum(),
        unit=f"images (frames){some}",
    )


def releases() -> pl.DataFrame:
    dated = results.archive.images_by("first_release").filter(pl.col("first_release") != NOT_STATED)
    by_release = dated.group_by(pl.col("first_release").str.slice(0, 10).alias("release"), "modality")
    return by_release.agg(pl.col("images").sum()).sort("release", "modality")


def growth_in_words() -> str | None:
    found = releases()
    if found.is_empty():
        return None
    newest = str(found["release"].max())
    new = found.filter(pl.col("release") == newest)["images"].sum()
    number = found["release"].n_unique()
    said = f"{labels.plural(number, 'release')} so far"
    return f"{said}; the newest, {newest}, brought {labels.count(new)} images" if number > 1 else said


def show_growth() -> None:
    _, source = results.archive.catalogue()
    found = releases()
    if found.is_empty():
        st.write("The archive does not say when its series were released.")
        return
    chart(
        charts.growth(found),
        name="growth",
        source=source,
        data=found,
        n=found["images"].sum(),
        unit="images, cumulated over releases",
    )


def left_out_in_words() -> str:
    reasons = results.archive.left_out()
    out = reasons.filter(~pl.col("kept"))["series"].sum()
    return f"{labels.count(out)} of {labels.count(reasons['series'].sum())} series are left out"


def show_left_out() -> None:
    _, source = results.archive.catalogue()
    reasons = results.archive.left_out()
    left = int(reasons["series"].sum())
    if reasons["kept"].all():
        st.write(f"None was: all {labels.count(left)} series are kept.")
        return
    out = reasons.filter(~pl.col("kept"))
    steps = [("offered by the archive", left)]
    for row in out.iter_rows(named=True):
        left -= row["series"]
        name = labels.rule(row["reason"].split(":", 1)[0]).lower()
        steps.append((f"less {labels.count(row['series'])} for {name}", left))
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
    table(out.drop("kept"), name="reasons", source=source, of="reasons", height="content")


def show_search() -> None:
    _, source = results.archive.catalogue()
    text = st.text_input(
        "Search",
        st.query_params.get("search", ""),
        placeholder="a dataset, body part, maker, series description …",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    if text:
        st.query_params["search"] = text
    elif "search" in st.query_params:
        del st.query_params["search"]
    columns = ["dataset", "patient_id", "modality_tag", "modality", "body_part", "manufacturer", "series_description"]
    rows = results.archive.series()
    for word in text.lower().split():
        anywhere = pl.concat_str([pl.col(name).fill_null("") for name in columns], separator=" ")
        rows = rows.filter(anywhere.str.to_lowercase().str.contains(word, literal=True))
    found = (
        rows.select(*columns, "planned_images", "licence", "kept", "reason", "study_uid", "series_uid")
        .rename({"planned_images": "images"})
        .head(_MOST_ROWS)
        .collect(engine="streaming")
    )
    config = {}
    archive = results.archive_name()
    if has_viewer(archive):
        uids = found.select("study_uid", "series_uid").rows()
        found = found.with_columns(link=pl.Series([viewer_url(archive, *one) for one in uids], dtype=pl.String))
        found = found.select("link", pl.exclude("link"))
        config = {"link": st.column_config.LinkColumn("Look at it", display_text="IDC viewer")}
    if len(found) == _MOST_ROWS:
        st.caption(f"The first {labels.count(_MOST_ROWS)} series; search for fewer.")
    table(found.drop("study_uid"), name="series", source=source, of="series", config=config)


def show_datasets() -> None:
    _, source = results.archive.catalogue()
    collections = results.archive.collections()
    shown = collections.select(
        "dataset",
        "title",
        "patients",
        "series",
        *(f"images_{name.lower()}" for name in CLASSES),
        "body_parts",
        "licences",
        pl.col("first_release", "revised_release").str.slice(0, 10),
        doi=pl.when(pl.col("doi").is_not_null()).then("https://doi.org/" + pl.col("doi")),
    )
    doi = {"doi": st.column_config.LinkColumn("DOI", display_text="https://doi.org/(.*)")}
    table(shown, name="datasets", source=source, of="datasets", config=doi)


section("Images per class", show_classes, finding=classes_in_words)
section("What the images are", show_breakdown)
section("Growth over releases", show_growth, finding=growth_in_words)
section("Why series were left out", show_left_out, finding=left_out_in_words)
section("Datasets", show_datasets)
section("Search in every series", show_search)
