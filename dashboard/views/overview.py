"""Overview: the state of the graph, the best model and its worst datasets, what is new, what to do next."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.dagster_links import DagsterUnreachableError, asset_url, graph_state, in_words
from dashboard.presentation import chart, model_name, section, start_page, table, told
from dashboard.results import Source

results = start_page(
    "Overview",
    "Models that tell CT, MR, PET and X-ray apart from pixels alone: what there is, how good it is, what to do next.",
)


def show_figures() -> None:
    cohort, _ = results.cohort()
    decoded = results.manifests("decoded_images")
    quarantined = sum(one.counts.get("quarantined", 0) for one in decoded)
    cells = st.columns(5)
    cells[0].metric("Datasets chosen", labels.count(cohort.counts.get("datasets", 0)))
    cells[1].metric("Images chosen", labels.count(cohort.counts.get("images", 0)))
    cells[2].metric("Size", labels.gigabytes(1e9 * cohort.counts.get("gigabytes", 0)))
    cells[3].metric("Images decoded", labels.count(sum(one.counts.get("images", 0) for one in decoded)))
    cells[4].metric("Files refused", labels.count(quarantined))


def show_best() -> None:
    best = results.main_models()[0]
    test = results.metrics(best).get("test")
    if test is None:
        st.info("The plan has no test images for this model: change the plan and materialise `split_plan`.")
        return
    low, high = test.get("accuracy_ci") or (None, None)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(f"**{model_name(best)}** is the best on the validate split. On the test split, unseen until then:")
        one, two = st.columns(2)
        one.metric("Accuracy", labels.percent(test["accuracy"]))
        two.metric("Balanced accuracy", labels.percent(test["balanced_accuracy"]))
        if low is not None:
            st.caption(
                f"95 % interval of the accuracy: {labels.percent(low)} to {labels.percent(high)}, "
                f"by bootstrap over {test['datasets']} datasets and {test['patients']} patients"
            )
        worst = test.get("worst_dataset")
        if worst:
            st.markdown(
                f"Its worst test dataset is **{worst['dataset']}**: {labels.percent(worst['accuracy'])} "
                f"of {labels.count(worst['images'])} images."
            )
        st.page_link("views/per_dataset.py", label="Every dataset, worst first", icon=":material/arrow_forward:")
        st.page_link("views/errors.py", label="How classes are confused", icon=":material/arrow_forward:")
    with right:
        worst_first = results.per_dataset(best).filter(pl.col("split") == "test").sort("accuracy", "dataset").head(8)
        st.markdown("**Its worst test datasets**")
        chart(
            charts.per_dataset_dots(worst_first, (model_name(best), None)),
            name="worst-test-datasets",
            source=best.source,
            data=worst_first,
            n=worst_first["images"].sum(),
            unit="% of images, 95 % interval",
        )


def show_new() -> None:
    _, source = results.catalogue()
    collections = results.collections().filter(~pl.col("retired"))
    released = collections.with_columns(
        pl.col("first_release").str.slice(0, 10), pl.col("revised_release").str.slice(0, 10)
    )
    releases = sorted(released["first_release"].drop_nulls().to_list())
    newest = releases[-1] if releases else None
    if newest is None:
        st.write("The archive does not say when its datasets were released.")
        return
    new = released.filter(pl.col("first_release") == newest)
    earlier = len(released) - len(new)
    if earlier:
        st.markdown(
            f"The newest release, **{newest}**, brought {labels.plural(len(new), 'dataset')}: "
            f"{', '.join(new['dataset'].to_list()[:12])}{' …' if len(new) > 12 else ''}. {earlier} were there before."
        )
    else:
        st.markdown(
            f"All {labels.plural(len(new), 'dataset')} came with one release, **{newest}**: "
            "there has been no refresh yet."
        )
    _, record, _ = results.split()
    unplanned = sorted(set(new["dataset"]) - set(results.split()[0]["dataset"]))
    placed = record.get("earlier", {}).get("new", [])
    if placed:
        st.markdown(f"New in the split plan since the last one: {', '.join(placed)}.")
    if unplanned:
        st.markdown(f"Not in the split plan: {', '.join(unplanned)}. Materialise `cohort`, then `split_plan`.")
    columns = [
        "dataset",
        "first_release",
        "revised_release",
        "patients",
        "series",
        *(f"images_{c}" for c in ("ct", "mr", "pt", "xr")),
    ]
    table(new.select(columns), name="newest-datasets", source=source, of="datasets")


def state_of_assets() -> pl.DataFrame:
    settings = results.settings()
    datasets = set(results.split()[0]["dataset"]) if results.manifests("split_plan") else set()
    models = len(settings.architectures) * len(settings.rescalings)
    expected = {
        "source_files": len(datasets),
        "decoded_images": len(datasets),
        "rescaled_shards": 3 * len(settings.rescalings),
        "trained_model": models,
        "evaluation_report": models,
    }
    rows = []
    for asset, words in labels.ASSETS.items():
        found = results.manifests(asset)
        wanted = max(expected.get(asset, 1), 1)
        incomplete = sum(1 for one in found if one.counts.get("incomplete"))
        state = "missing" if not found else "incomplete" if len(found) < wanted or incomplete else "made"
        made = max((one.created_utc for one in found), default=None)
        rows.append(
            {
                "Step": words,
                "State on disk": {"made": "✓ made", "incomplete": "◐ incomplete", "missing": "✗ missing"}[state],
                "Parts": f"{len(found)} of {wanted}" if asset in expected and len(found) <= wanted else str(len(found)),
                "Last made": labels.moment(made) if made else "–",
                "Seconds": sum(one.seconds for one in found),
                "In Dagster": asset_url(asset),
                "asset": asset,
            }
        )
    return pl.DataFrame(rows)


def show_graph() -> None:
    state = state_of_assets()
    table(
        state.drop("asset"),
        name="graph-state",
        source=Source("the manifest of every result"),
        of="assets",
        height="content",
        config={
            "In Dagster": st.column_config.LinkColumn("Open", display_text="in Dagster"),
            "Seconds": st.column_config.NumberColumn("Seconds, all parts", format="%.1f"),
        },
    )
    steps = state.filter(~pl.col("State on disk").str.contains("made"))
    if steps.is_empty():
        st.success("Everything is made. When the archive grows, the sensor `archive_releases` asks for what is new.")
    else:
        st.info(f"Next: materialise `{steps['asset'][0]}`; what follows in the graph is built on it.")
    show_moment()


@st.fragment
def show_moment() -> None:
    """What only Dagster knows; asked last, so that a slow answer holds nothing up."""
    try:
        with st.spinner("Asking Dagster what is stale, running or failed …"):
            now = graph_state()
    except DagsterUnreachableError:
        st.caption(
            "The Dagster UI does not answer, so what is stale, running or failed at this moment is not known. "
            "`modality ui` starts it."
        )
        return
    st.markdown(f"**At this moment, says Dagster:** {in_words(now)}")
    st.button("Ask again", icon=":material/refresh:", type="tertiary")


told(show_figures)
section("The best model", show_best)
section("What is new", show_new)
section("The graph", show_graph)
