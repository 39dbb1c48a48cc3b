"""What keeps a model honest: trivial baselines that it must beat, and the probe of what its features know."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.exhibits import chart, table
from dashboard.results import Results

_BASELINES = "baselines"


def best_baseline(results: Results, measure: str) -> dict[str, float]:
    """Return what the best trivial baseline reaches on test, under its name in words; nothing where none was run."""
    rows = _rows(results).filter(pl.col("split") == "test").drop_nulls(measure).sort(measure, descending=True)
    return {labels.baseline(name): share for name, share in rows.head(1).select("architecture", measure).rows()}


def show_baselines(results: Results) -> None:
    """Show the trivial baselines: what can be told without looking at an image."""
    rows = _rows(results)
    _, source = results.models.comparison()
    if rows.is_empty():
        st.info(
            "No baseline has been run: materialise the partitions `baselines.…` of `study_trial`, "
            "then `model_comparison`."
        )
        return
    st.markdown("What can be told without looking at an image. A model that one of these beats is not useful.")
    shown = rows.with_columns(
        label=pl.col("architecture").map_elements(labels.baseline, return_dtype=pl.String), published=pl.lit(False)
    )
    chart(
        charts.accuracy_dots(shown, "balanced_accuracy"),
        name="baselines",
        source=source,
        data=shown.select("label", "split", "images", "accuracy", "balanced_accuracy"),
        n=rows.unique("split")["images"].sum(),
        of="images per baseline over the splits",
        unit=charts.marks_in_words(shown, "balanced_accuracy"),
    )


def baselines_in_words(results: Results) -> str | None:
    """Return whether the best model beats every baseline by all the evidence that it has; None where none was run."""
    floors = best_baseline(results, "balanced_accuracy")
    found = results.models.by_evidence(results.models.main()[0], "test")
    if not floors or not found:
        return None
    ours = found.get("both", found["pixels"])["balanced_accuracy"]
    ((name, highest),) = floors.items()
    verb = "beats" if ours > highest else "does not beat"
    return (
        f"The best model ({labels.percent(ours, 0)} balanced, all evidence) {verb} the best baseline: "
        f"{name}, {labels.percent(highest, 0)}"
    )


def probe_in_words(results: Results) -> str | None:
    """Return how much the best probed model knows of the dataset beyond the class."""
    rows, _ = results.models.probes()
    if rows.is_empty():
        return None
    worst = rows.sort("shortcut", descending=True).row(0, named=True)
    name = f"{labels.architecture(worst['architecture'])}, {labels.rescaling(worst['rescaling'])}"
    return f"Up to {labels.percent(worst['shortcut'], 0)} of what could give a dataset away is in the features ({name})"


def show_probe(results: Results) -> None:
    """Show what a straight line through each model's features says of the dataset."""
    rows, source = results.models.probes()
    if rows.is_empty():
        st.info(
            "No probe has been run: materialise the partitions `probe.…` of `study_trial`, then `model_comparison`."
        )
        return
    st.markdown(
        "How often a straight line through a model's features names the *dataset* of an image, on patients that it was "
        "not fitted on. What it knows beyond the class alone is a shortcut that the model may take: a scanner, a crop, "
        "a file format."
    )
    name = pl.format(
        "{}, {}",
        pl.col("architecture").replace(labels.ARCHITECTURES),
        pl.col("rescaling").replace(labels.RESCALINGS),
    )
    words = {
        "accuracy": "from the features",
        "from_class": "from the class alone",
        "untrained": "from an untrained network's features",
        "chance": "by chance",
    }
    named = rows.with_columns(label=name)
    chart(
        charts.probe_dots(named, words),
        name="probe",
        source=source,
        data=rows,
        n=rows["images"].sum(),
        of="images over all probes",
        unit="% of images whose dataset is named, mean over datasets",
    )
    shown = named.select("label", "datasets", "images", *words, "shortcut").rename({"label": "Model", **words})
    percent = {one: st.column_config.NumberColumn(one.capitalize(), format="percent") for one in words.values()}
    percent["shortcut"] = st.column_config.NumberColumn("Shortcut", format="percent")
    with st.expander("As a table"):
        table(shown, name="probe-table", source=source, of="probes", config=percent, height="content")


def _rows(results: Results) -> pl.DataFrame:
    comparison, _ = results.models.comparison()
    return comparison.filter((pl.col("study") == _BASELINES) & (pl.col("source") == "ours"))
