"""Split: which dataset is in train, validate or test, why, and what had to be given up."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.exhibits import chart, table
from dashboard.presentation import section, start_page
from dashboard.results.archive import NOT_STATED
from modality_assets.modality import SPLITS

results = start_page(
    "Split",
    "Whole datasets go to train, validate or test, so that test asks what matters: images from a source never seen.",
)


def shares() -> pl.DataFrame:
    images = results.split.images().filter(pl.col("modality").is_not_null())
    counted = images.group_by("modality", "split").agg(pl.col("images").sum())
    share = pl.col("images") / pl.col("images").sum().over("modality")
    return counted.with_columns(share=share).sort("modality", "split")


def deviation_in_words() -> str | None:
    asked = results.split.plan()[1].get("shares", {})
    found = shares().filter(pl.col("split").is_in([*asked]))
    if not asked or found.is_empty():
        return None
    away = found.with_columns(away=pl.col("share") - pl.col("split").replace_strict(asked, return_dtype=pl.Float64))
    worst = away.sort(pl.col("away").abs(), descending=True).row(0, named=True)
    points = 100 * abs(worst["away"])
    way = "above" if worst["away"] > 0 else "below"
    return f"Furthest from what was asked: {worst['modality']} in {worst['split']}, {points:.1f} points {way}"


def show_shares() -> None:
    datasets, record, source = results.split.plan()
    found = shares()
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            charts.split_shares(found, record.get("shares", {})),
            name="split-shares",
            source=source,
            data=found,
            n=found["images"].sum(),
            unit="% of a class's images; dotted lines: the shares asked for",
        )
    with right:
        chart(
            charts.split_images(found),
            name="split-images",
            source=source,
            data=found,
            n=found["images"].sum(),
            unit="images, on a logarithmic scale",
        )
    cells = st.columns(4)
    for cell, split in zip(cells, SPLITS, strict=False):
        cell.metric(f"Datasets in {split}", int((datasets["split"] == split).sum()))
    cells[3].metric("Leaks", record.get("leaks", 0), help="Datasets that share patients and lie in different splits")


def unseen_in_words() -> str | None:
    known = pl.col("modality").is_not_null() & ~pl.col("body_part").is_in(["unknown", NOT_STATED])
    images = results.split.images().filter(known)
    seen = images.filter(pl.col("split") == "train").select("modality", "body_part").unique()
    test = images.filter(pl.col("split") == "test").select("modality", "body_part").unique()
    unseen = test.join(seen, on=["modality", "body_part"], how="anti").sort("modality", "body_part")
    pairs = [f"{modality} {part}" for modality, part in unseen.rows()]
    return (
        f"Test shows what train never did: {labels.listed(pairs, 4)}" if pairs else "Train has every body part of test"
    )


def show_body_parts() -> None:
    _, _, source = results.split.plan()
    found = results.split.images().filter(pl.col("modality").is_not_null())
    chart(
        charts.body_part_grid(found),
        name="body-parts",
        source=source,
        data=found,
        n=found["images"].sum(),
        unit="images; colour is their logarithm",
    )


def rules_in_words() -> str:
    _, record, _ = results.split.plan()
    met, relaxed = record.get("met", []), record.get("relaxed", [])
    rules = len({one["rule"] for one in relaxed})
    return f"{labels.plural(len(met), 'rule')} met, {rules or 'none'} relaxed"


def show_constraints() -> None:
    _, record, source = results.split.plan()
    met, relaxed = record.get("met", []), record.get("relaxed", [])
    texts = [text for text in record.get("order_of_relaxing", []) + record.get("never_relaxed", []) if ": " in text]
    explained = dict(text.split(": ", 1) for text in texts)
    lines = [f"✓ **{labels.rule(name)}**" + (f": {explained[name]}" if name in explained else "") for name in met]
    st.markdown("  \n".join(lines))
    if (record.get("gap") or {}).get("proven"):
        st.caption("The solver proved that no plan under these rules is better.")
    if relaxed:
        st.markdown(f"**Relaxed** in {labels.plural(len(relaxed), 'place')}, with what would mend it:")
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
        table(rows, name="relaxed", source=source, of="places where a rule is relaxed")


def published_in_words() -> str | None:
    both = results.split.beside_published()
    if both.is_empty():
        return None
    same = int((both["split"] == both["published_split"]).sum())
    return f"{same} of {len(both)} datasets of the published split are in the same part of ours"


def show_published() -> None:
    _, _, source = results.split.plan()
    both = results.split.beside_published()
    if both.is_empty():
        st.write("None of these datasets is in the published split.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            charts.split_beside(both),
            name="split-beside-published",
            source=source,
            data=both,
            n=len(both),
            of="datasets",
            unit="datasets",
        )
    with right:
        moved = both.filter(pl.col("split") != pl.col("published_split"))
        st.markdown("**Datasets in another part than published**" if len(moved) else "No dataset is in another part.")
        if len(moved):
            table(moved, name="moved", source=source, of="datasets")


def show_groups() -> None:
    _, record, source = results.split.plan()
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
                "Patients in common": one["patients"],
                "Leak": "yes" if one["leak"] else "no",
                "How it is known": one["evidence"],
            }
            for one in groups
        ],
        infer_schema_length=None,
    )
    table(rows, name="leakage-groups", source=source, of="pairs of datasets that share patients")


def groups_in_words() -> str | None:
    groups = results.split.plan()[1].get("leakage_groups", [])
    leaks = sum(bool(one["leak"]) for one in groups)
    return (
        groups and f"{labels.plural(len(groups), 'pair')} of datasets share patients, {leaks or 'none'} across splits"
    )


def show_datasets() -> None:
    datasets, _, source = results.split.plan()
    images = results.split.images().group_by("dataset").agg(pl.col("images").sum())
    ours = datasets.join(images, on="dataset", how="left")
    published = results.split.beside_published().drop("split")
    ours = ours.join(published, on="dataset", how="left") if len(published) else ours
    table(ours.sort("split", "dataset"), name="split-datasets", source=source, of="datasets")


section("Images per class and split", show_shares, finding=deviation_in_words)
section(
    "Body parts",
    show_body_parts,
    finding=unseen_in_words,
    help_text="Test shows how well a class is known on a body part only if train has it too.",
)
section("Rules", show_constraints, finding=rules_in_words)
section("Beside the published split", show_published, finding=published_in_words)
section("Datasets that share patients", show_groups, finding=groups_in_words)
section("Every dataset and its place", show_datasets)
