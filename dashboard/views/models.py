"""Models: every architecture and rescaling beside the published figures; training, studies, cost."""

from typing import Any

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.choices import choose, choose_many, choose_switch, model_name
from dashboard.exhibits import chart, table
from dashboard.presentation import section, start_page
from dashboard.results import Source
from dashboard.studies import baselines_in_words, best_baseline, probe_in_words, show_baselines, show_probe
from modality_assets.modality import SPLITS

_MEASURES = ["accuracy", "balanced_accuracy"]
_NO_RESULT_OF_A_NETWORK = {"main", "baselines", "probe"}

results = start_page("Models", "Every architecture under every rescaling, on each split, beside the published figures.")


def compared(study: str) -> pl.DataFrame:
    """The comparison's rows of ``study`` with a label each and whether they were published."""
    comparison, _ = results.models.comparison()
    rows = comparison.filter(pl.col("study") == study)
    architecture = pl.col("architecture").replace(labels.ARCHITECTURES)
    rescaling = pl.col("rescaling").replace(labels.RESCALINGS)
    return rows.with_columns(
        published=pl.col("source") == "published", label=pl.format("{}, {}", architecture, rescaling)
    )


def best_in_words() -> str | None:
    best = results.models.main()[0]
    test = results.models.metrics(best).get("test")
    return test and f"Best on validate: {model_name(best)}, {labels.percent(test['accuracy'], 0)} of test images"


def choose_measure(parameter: str, at: Any) -> str:
    return choose(
        "Measure",
        _MEASURES,
        parameter,
        words=labels.column,
        help_text="Balanced accuracy is the mean over the classes of the share of their images that is recognised.",
        at=at,
        width=220,
    )


def show_as_table(rows: pl.DataFrame, name: str, source: Source) -> None:
    shown = rows.drop("published", "study").select("label", pl.exclude("label", "architecture", "rescaling"))
    with st.expander("As a table"):
        table(shown.rename({"label": "Model"}), name=name, source=source, of="figures")


def show_accuracy() -> None:
    _, source = results.models.comparison()
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    measure = choose_measure("measure", row)
    rows = compared("main").filter(pl.col("split").is_in(SPLITS))
    if not choose_switch("Published figures", "published", at=row):
        rows = rows.filter(~pl.col("published"))
    ours_first = rows.sort("published", "rescaling", "label", descending=[False, True, False])
    floor = best_baseline(results, measure)
    line = "".join(f"; dashed: the best baseline, {name}, {labels.percent(share)}" for name, share in floor.items())
    n = rows.filter(~pl.col("published")).unique("split")["images"].sum()
    chart(
        charts.accuracy_dots(ours_first, measure, floor),
        name=f"models-{measure}",
        source=source,
        data=ours_first.drop("label"),
        n=n or 0,
        of="images per model over the splits",
        unit=charts.marks_in_words(rows, measure) + line,
    )
    show_as_table(ours_first, "comparison", source)


def show_evidence() -> None:
    best = results.models.main()[0]
    kinds = {"pixels": "rescaled pixels", "intensities": "native intensities", "both": "both together"}
    found = results.models.by_evidence(best, "test")
    rows = [
        {
            "Evidence": kinds.get(kind, kind),
            "images": figures["images"],
            "accuracy": figures["accuracy"],
            "balanced_accuracy": figures["balanced_accuracy"],
            "Accuracy on series": figures.get("series", {}).get("accuracy"),
        }
        for kind, figures in sorted(found.items(), key=lambda one: [*kinds].index(one[0]) if one[0] in kinds else 9)
    ]
    st.markdown(
        f"{model_name(best)}, on the test split. Native intensities (such as Hounsfield units) are what rescaling "
        "throws away; only files that have some can be judged by them."
    )
    percent = {"Accuracy on series": st.column_config.NumberColumn(format="percent")}
    table(
        pl.DataFrame(rows, infer_schema_length=None),
        name="evidence",
        source=best.source,
        of="kinds of evidence",
        config=percent,
        height="content",
    )


def evidence_in_words() -> str | None:
    found = results.models.by_evidence(results.models.main()[0], "test")
    if "both" not in found:
        return None
    both, pixels = found["both"].get("series", {}).get("accuracy"), found["pixels"].get("series", {}).get("accuracy")
    if both is None or pixels is None:
        return None
    return (
        f"With intensities too: {labels.percent(both, 0)} of test series, {labels.percent(pixels, 0)} by pixels alone"
    )


def show_training() -> None:
    models = results.models.main()
    names = {model.key: model_name(model) for model in models}
    left, right = st.columns([3, 1])
    wanted = choose_many("Models (none chosen: the four best)", list(names), "curves", words=names.__getitem__, at=left)
    of = choose("Curve", ["accuracy", "loss"], "curve", words=str.capitalize, at=right)
    shown = [model for model in models if model.key in (wanted or [model.key for model in models[:4]])]
    histories = {names[model.key]: results.models.history(model) for model in shown}
    columns = ["epoch", f"train_{of}", f"validate_{of}", "lr", "images_per_second", "seconds"]
    data = pl.concat(
        [history.select(pl.lit(name).alias("Model"), *columns) for name, history in histories.items()],
        how="vertical_relaxed",
    )
    newest = max((model.source.created_utc or "" for model in shown), default=None)
    chart(
        charts.curves(histories, of),
        name=f"training-{of}",
        source=Source("trained_model", None, newest),
        data=data,
        n=sum(len(history) for history in histories.values()),
        of="epochs",
        unit=("% of images" if of == "accuracy" else "cross-entropy, nats") + "; solid: validate, dotted: train",
    )


def show_cost() -> None:
    _, source = results.models.comparison()
    rows = compared("main").filter(~pl.col("published") & (pl.col("split") == "test"))
    costs = ["predict_ms_per_image", "train_seconds"]
    cost = choose("Cost", costs, "cost", words=labels.column, width=260)
    known = rows.filter(pl.col(cost).is_not_null() & pl.col("accuracy").is_not_null())
    if known.is_empty():
        st.write("No model has been timed yet: materialise `evaluation_report`.")
        return
    chart(
        charts.cost_against_accuracy(known, cost),
        name=f"accuracy-against-{cost}",
        source=source,
        data=known.select("architecture", "rescaling", "accuracy", cost),
        n=max(known["images"].to_list()),
        of="test images per model",
        unit=f"% of test images; {labels.column(cost)}",
    )


def show_studies() -> None:
    comparison, source = results.models.comparison()
    ours = set(comparison.filter(pl.col("source") == "ours")["study"].drop_nulls())
    found = set(comparison["study"].drop_nulls()) - _NO_RESULT_OF_A_NETWORK
    studies = sorted(found, key=lambda name: (name not in ours, name))
    if not studies:
        st.info("No study has been run: materialise the asset `study_trial`, then `model_comparison`.")
        return
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    study = choose("Study", studies, "study", words=labels.rule, at=row, width=260)
    measure = choose_measure("study-measure", row)
    rows = compared(study)
    if rows["recipe"].n_unique() > 1:
        same_model = rows["label"].n_unique() == 1
        rows = rows.with_columns(label=pl.col("recipe") if same_model else pl.format("{}: {}", "recipe", "label"))
    rows = rows.sort("published", "label")
    chart(
        charts.accuracy_dots(rows, measure),
        name=f"study-{study}-{measure}",
        source=source,
        data=rows.drop("label"),
        n=rows.unique("split")["images"].sum() or None,
        of="images per trial over the splits",
        unit=charts.marks_in_words(rows, measure),
    )
    show_as_table(rows, f"study-{study}", source)


section("Accuracy", show_accuracy, finding=best_in_words)
section("Evidence", show_evidence, finding=evidence_in_words)
section("Cost against accuracy", show_cost)
section("Training curves", show_training)
section("Studies", show_studies)
section("What any model must beat", lambda: show_baselines(results), finding=lambda: baselines_in_words(results))
section("How much is shortcut", lambda: show_probe(results), finding=lambda: probe_in_words(results))
