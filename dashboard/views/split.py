"""Split: which dataset is in train, validate or test, why, and what had to be given up."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import chart, section, start_page, table

results = start_page(
    "Split",
    "Whole datasets go to train, validate or test, so that test asks what matters: images from a source never seen.",
)


def show_shares() -> None:
    datasets, record, source = results.split()
    cells = st.columns(4)
    for cell, split in zip(cells, ("train", "validate", "test"), strict=False):
        cell.metric(f"Datasets in {split}", int((datasets["split"] == split).sum()))
    cells[3].metric("Leaks", record.get("leaks", 0), help="Datasets that share patients and lie in different splits")
    found = (
        results.split_images()
        .filter(pl.col("modality").is_not_null())
        .group_by("modality", "split")
        .agg(pl.col("images").sum())
        .with_columns(share=pl.col("images") / pl.col("images").sum().over("modality"))
        .sort("modality", "split")
    )
    chart(
        charts.split_images(found),
        name="split-images",
        source=source,
        data=found,
        n=found["images"].sum(),
        unit="images, on a logarithmic scale",
    )
    chart(
        charts.split_shares(found, record.get("shares", {})),
        name="split-shares",
        source=source,
        data=found,
        n=found["images"].sum(),
        unit="% of a class's images; dotted lines are the shares asked for",
    )


def show_body_parts() -> None:
    _, _, source = results.split()
    found = results.split_images().filter(pl.col("modality").is_not_null())
    chart(
        charts.body_part_grid(found),
        name="body-parts",
        source=source,
        data=found,
        n=found["images"].sum(),
        unit="images; colour is their logarithm",
    )


def show_constraints() -> None:
    _, record, source = results.split()
    met, relaxed = record.get("met", []), record.get("relaxed", [])
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Met**")
        explained = dict(
            text.split(": ", 1)
            for text in record.get("order_of_relaxing", []) + record.get("never_relaxed", [])
            if ": " in text
        )
        for name in met:
            st.markdown(f"- ✓ {labels.rule(name)}" + (f": {explained[name]}" if name in explained else ""))
    with right:
        st.markdown(f"**Relaxed** ({len(relaxed)} places)" if relaxed else "**Relaxed**: nothing")
        gap = record.get("gap") or {}
        if gap.get("proven"):
            st.caption("The solver proved that no plan under these rules is better.")
    if relaxed:
        rows = pl.DataFrame(
            [
                {
                    "rule": labels.rule(one["rule"]),
                    "modality": one.get("modality"),
                    "split": one.get("split"),
                    "Wanted": one.get("wanted"),
                    "Reached": one.get("got"),
                    "Because": one.get("because"),
                    "Datasets that would mend it": "; ".join(one.get("mend", [])),
                }
                for one in relaxed
            ],
            infer_schema_length=None,
            strict=False,
        )
        table(rows, name="relaxed", source=source, of="relaxed rules")


def show_groups() -> None:
    _, record, source = results.split()
    groups = record.get("leakage_groups", [])
    if not groups:
        st.write("No datasets of this cohort are known to share patients.")
        return
    rows = pl.DataFrame(
        [
            {
                "Dataset": one["dataset"],
                "Split": one["split"],
                "Shares patients with": one["other"],
                "Its split": one["other_split"],
                "PatientIDs in common": one["patients"],
                "Leak": "yes" if one["leak"] else "no",
                "How it is known": one["evidence"],
            }
            for one in groups
        ]
    )
    table(rows, name="leakage-groups", source=source, of="pairs of datasets that share patients")


def show_datasets() -> None:
    datasets, _, source = results.split()
    images = results.split_images().group_by("dataset").agg(pl.col("images").sum())
    published = results.published_split()
    dois = results.collections().select("dataset", pl.col("doi").str.to_lowercase())
    ours = datasets.join(images, on="dataset", how="left").join(dois, on="dataset", how="left")
    by_doi = published.filter(pl.col("doi").is_not_null()).unique("doi").select("doi", by_doi="split")
    by_name = published.unique("name").select(dataset="name", by_name="split")
    ours = ours.join(by_doi, on="doi", how="left").join(by_name, on="dataset", how="left")
    ours = ours.with_columns(published_split=pl.coalesce("by_doi", "by_name")).drop("by_doi", "by_name", "doi")
    both = ours.filter(pl.col("published_split").is_not_null())
    if both.is_empty():
        st.caption("None of these datasets is in the published split.")
        ours = ours.drop("published_split")
    else:
        same = int((both["split"] == both["published_split"]).sum())
        st.caption(f"{len(both)} of these datasets are in the published split too, {same} in the same part of it.")
    table(ours.sort("split", "dataset"), name="split-datasets", source=source, of="datasets")


section("Images per class and split", show_shares)
section("Body parts", show_body_parts, "Test shows how well a class is known on a body part only if train has it too.")
section("Rules", show_constraints)
section("Datasets that share patients", show_groups)
section("Every dataset and its place", show_datasets)
