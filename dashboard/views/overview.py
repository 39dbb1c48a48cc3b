"""Overview: the best model, its worst datasets, what the last refresh changed, the state of the graph, what to do."""

from typing import Any

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.choices import model_name
from dashboard.dagster_links import DagsterUnreachableError, asset_url, graph_state, in_words
from dashboard.exhibits import chart, table
from dashboard.graph_state import state_of_assets
from dashboard.presentation import section, start_page, told
from dashboard.results import Source

_WORST = 8

results = start_page(
    "Overview",
    "Models that tell CT, MR, PET and X-ray apart from pixels alone: what there is, how good it is, what to do next.",
)


def show_figures() -> None:
    cohort, _ = results.archive.cohort()
    decoded = results.quality.manifests("decoded_images")
    quarantined = sum(one.counts.get("quarantined", 0) for one in decoded)
    cells = st.columns(5)
    cells[0].metric("Datasets chosen", labels.count(cohort.counts.get("datasets", 0)))
    cells[1].metric("Images chosen", labels.count(cohort.counts.get("images", 0)))
    cells[2].metric("Size", labels.gigabytes(1e9 * cohort.counts.get("gigabytes", 0)))
    cells[3].metric("Images decoded", labels.count(sum(one.counts.get("images", 0) for one in decoded)))
    cells[4].metric("Files refused", labels.count(quarantined))


def worst_first() -> pl.DataFrame:
    rows = results.models.per_dataset(results.models.main()[0]).filter(pl.col("split") == "test")
    return rows.sort("accuracy", "dataset", "modality")


def best_in_words() -> str | None:
    best = results.models.main()[0]
    test = results.models.metrics(best).get("test")
    return test and f"The best model names {labels.percent(test['accuracy'], 0)} of unseen images rightly"


def show_best() -> None:
    best = results.models.main()[0]
    test = results.models.metrics(best).get("test")
    if test is None:
        st.info("The plan has no test images for this model: change the plan and materialise `split_plan`.")
        return
    rows = worst_first()
    worst = rows.row(0, named=True)
    left, right = st.columns([2, 3], gap="large")
    with right:
        st.markdown(
            f"**Its worst dataset: {worst['dataset']}, {worst['modality']}, {labels.percent(worst['accuracy'], 0)}**"
        )
        chart(
            charts.per_dataset_dots(rows, (model_name(best), None), most=_WORST),
            name="worst-test-datasets",
            source=best.source,
            data=rows,
            n=rows["images"].sum(),
            unit=f"% of images, 95 % interval; the {min(_WORST, len(rows))} worst of {len(rows)} datasets and classes",
        )
    with left:
        one, two = st.columns(2)
        one.metric("Test accuracy", labels.percent(test["accuracy"]))
        two.metric("Balanced", labels.percent(test["balanced_accuracy"]), help="The mean of the four classes")
        low, high = test.get("accuracy_ci") or (None, None)
        interval = (
            f"95 % interval of the accuracy {labels.percent(low)} to {labels.percent(high)}, by bootstrap over "
            if low is not None
            else "No interval: "
        )
        st.caption(
            f"{interval}{labels.plural(test['datasets'], 'dataset')} and {labels.plural(test['patients'], 'patient')}"
        )
        st.markdown(f"**{model_name(best)}**: chosen on the validate split; the test split was unseen until then.")
        st.page_link("views/per_dataset.py", label="Every dataset, worst first", icon=":material/arrow_forward:")
        st.page_link("views/errors.py", label="How classes are confused", icon=":material/arrow_forward:")
        st.page_link("views/models.py", label="All models beside the published", icon=":material/arrow_forward:")


def change_in_words() -> str | None:
    last = results.changes.last()
    new = last.named("new")
    if last.earlier is None:
        return "No refresh yet: everything came with the first release"
    parts = [labels.plural(len(new), "new dataset")]
    parts += [f"{len(names)} {change}" for change in ("revised", "withdrawn") if (names := last.named(change))]
    when = "Since the last refresh" if last.recorded else f"With the newest release, {last.release}"
    return f"{when}: {', '.join(parts)}"


def show_changes() -> None:
    last = results.changes.last()
    source = results.archive.catalogue()[1]
    if last.release is None:
        st.write("The archive does not say when its datasets were released.")
        return
    if last.earlier is None:
        st.markdown(f"All {labels.plural(len(last.datasets), 'dataset')} came with release **{last.release}**.")
    else:
        st.markdown(f"From release **{last.earlier}** to **{last.release}**{_when(last.state, last.finished_utc)}.")
        for change in ("new", "revised", "withdrawn", "dropped"):
            if names := last.named(change):
                words = "no longer in the cohort" if change == "dropped" else change
                st.markdown(f"- **{labels.plural(len(names), 'dataset')} {words}:** {labels.listed(names, 12)}")
    if aside := results.changes.set_aside():
        st.warning(
            f"{labels.plural(len(aside), 'dataset')} failed at every attempt and left out: {labels.listed([*aside])}. "
            "Materialise `source_files` for each to try again.",
            icon=":material/report:",
        )
    show_models_of_refresh()
    changed = last.datasets.filter(pl.col("change") != "unchanged")
    if last.earlier is not None and len(changed):
        table(_with_split(changed), name="changed-datasets", source=source, of="datasets that changed")


def _when(state: str, finished_utc: str | None) -> str:
    if state == "running":
        return ", under way now"
    return f", finished {labels.moment(finished_utc)}" if finished_utc else ""


def _with_split(changed: pl.DataFrame) -> pl.DataFrame:
    plan = (
        results.split.plan()[0].select("dataset", planned="split") if results.quality.manifests("split_plan") else None
    )
    if plan is None:
        return changed
    joined = changed.join(plan, on="dataset", how="left")
    split = pl.coalesce("split", "planned").fill_null("not in the plan")
    return joined.with_columns(split=split).drop("planned").sort("change", "dataset")


def show_models_of_refresh() -> None:
    last = results.changes.last()
    if not len(last.models):
        return
    for row in last.models.filter(pl.col("outcome") != "unchanged").iter_rows(named=True):
        name = f"{labels.architecture(row['architecture'])}, {labels.rescaling(row['rescaling'])}"
        said = {
            "promoted": "a new model took its place",
            "kept": "the model before was better and is kept",
            "stale": "older than the images, as the settings wish",
            "waiting": "waits to be trained again",
            "failed": f"training failed: {row['error']}",
        }.get(row["outcome"], row["outcome"])
        both = row["before"] is not None and row["after"] is not None
        figures = f", validate {labels.percent(row['before'])} → {labels.percent(row['after'])}" if both else ""
        st.markdown(f"- **{name}:** {said}{figures}")
    decided = results.changes.promotions()
    if decided:
        about, rows = decided[0]
        name = f"{labels.architecture(about['architecture'])}, {labels.rescaling(about['rescaling'])}"
        rows = rows.filter(pl.col("split") == "test") if (rows["split"] == "test").any() else rows
        st.markdown(f"**What the newest decision changes on the test datasets ({name})**")
        chart(
            charts.change_per_dataset(rows),
            name="change-per-dataset",
            source=Source("trained_model", f"{about['architecture']}|{about['rescaling']}", about["decided_utc"]),
            data=rows,
            n=rows["images"].sum(),
            unit="% of images, both models on the images of now",
        )


def graph_in_words() -> str:
    state = state_of_assets(results)
    made = int(state["State on disk"].str.contains("✓").sum())
    return f"{made} of {len(state)} steps of the graph are made"


def show_graph() -> None:
    state = state_of_assets(results)
    steps = state.filter(~pl.col("State on disk").str.contains("✓"))
    if steps.is_empty():
        st.success(
            "Nothing to do: everything is made. When the archive grows, the sensor `archive_releases` asks for what "
            "is new.",
            icon=":material/check:",
        )
    else:
        st.info(
            f"Next: materialise [`{steps['asset'][0]}`]({asset_url(steps['asset'][0])}); "
            "what follows in the graph is built on it.",
            icon=":material/arrow_forward:",
        )
    moment = st.container()  # filled last, so that a slow answer of Dagster's holds nothing up
    table(
        state.drop("asset"),
        name="graph-state",
        source=Source("the manifest of every result"),
        of="steps",
        height="content",
        config={
            "In Dagster": st.column_config.LinkColumn("Open", display_text="in Dagster"),
            "Seconds": st.column_config.NumberColumn("Seconds, all parts", format="%.1f"),
        },
    )
    with moment:
        show_moment()


@st.cache_data(ttl=5, show_spinner=False)
def state_of_now() -> dict[str, Any]:
    """One answer for everybody who asks within seconds."""
    return graph_state()


@st.fragment
def show_moment() -> None:
    """What only Dagster knows."""
    try:
        with st.spinner("Asking Dagster what is stale, running or failed …"):
            now = state_of_now()
    except DagsterUnreachableError:
        st.caption(
            "The Dagster UI does not answer, so what is stale, running or failed at this moment is not known. "
            "`modality ui` starts it."
        )
        return
    st.markdown(f"**At this moment, says Dagster:** {in_words(now)}")
    st.button("Ask again", icon=":material/refresh:", type="tertiary")


told(show_figures)
section("The best model", show_best, finding=best_in_words)
section("What is new", show_changes, finding=change_in_words)
section("The graph", show_graph, finding=graph_in_words)
