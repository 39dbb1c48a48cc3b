"""Models: every architecture and rescaling beside the published figures; training, studies, cost."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import chart, choose, choose_many, model_name, section, start_page, table
from modality_assets.modality import SPLITS

results = start_page("Models", "Every architecture under every rescaling, on each split, beside the published figures.")


def compared(study: str) -> pl.DataFrame:
    """The comparison's rows of ``study`` with a label each and whether they were published."""
    comparison, _ = results.comparison()
    rows = comparison.filter(pl.col("study") == study)
    return rows.with_columns(
        published=pl.col("source") == "published",
        label=pl.struct("architecture", "rescaling").map_elements(
            lambda one: f"{labels.architecture(one['architecture'])}, {labels.rescaling(one['rescaling'])}",
            return_dtype=pl.String,
        ),
    )


def show_accuracy() -> None:
    _, source = results.comparison()
    measure = choose(
        "Measure",
        ["accuracy", "balanced_accuracy"],
        "measure",
        words=labels.column,
        help_text="Balanced accuracy is the mean over the classes of the share of their images that is recognised.",
    )
    rows = compared("main").filter(pl.col("split").is_in(SPLITS))
    if not st.toggle("Published figures", value=True, key="published"):
        rows = rows.filter(~pl.col("published"))
    ours_first = rows.sort("published", "rescaling", "label", descending=[False, True, False])
    n = rows.filter(~pl.col("published")).unique("split")["images"].sum()
    whiskers = "; whiskers are 95 % intervals by bootstrap over datasets and patients" if measure == "accuracy" else ""
    chart(
        charts.accuracy_dots(ours_first, measure),
        name=f"models-{measure}",
        source=source,
        data=ours_first.drop("label"),
        n=n or 0,
        of="images per model over the splits",
        unit=f"% of images{whiskers}; hollow marks are published figures",
    )
    shown = ours_first.drop("published", "study").select("label", pl.exclude("label", "architecture", "rescaling"))
    with st.expander("As a table"):
        table(shown.rename({"label": "Model"}), name="comparison", source=source, of="figures")


def show_training() -> None:
    models = results.main_models()
    names = {model.key: model_name(model) for model in models}
    wanted = choose_many("Models", list(names), "curves", words=names.__getitem__)
    of = choose("Curve", ["accuracy", "loss"], "curve", words=str.capitalize)
    shown = [model for model in models if model.key in (wanted or [model.key for model in models[:4]])]
    histories = {names[model.key]: results.history(model) for model in shown}
    data = pl.concat(
        [
            history.select(
                pl.lit(name).alias("Model"),
                "epoch",
                f"train_{of}",
                f"validate_{of}",
                "lr",
                "images_per_second",
                "seconds",
            )
            for name, history in histories.items()
        ],
        how="vertical_relaxed",
    )
    newest = max((model.source for model in shown), key=lambda source: source.created_utc or "")
    chart(
        charts.curves(histories, of),
        name=f"training-{of}",
        source=type(newest)("trained_model", None, newest.created_utc),
        data=data,
        n=sum(len(history) for history in histories.values()),
        of="epochs",
        unit="share of images" if of == "accuracy" else "cross-entropy, nats",
    )


def show_cost() -> None:
    _, source = results.comparison()
    rows = compared("main").filter(~pl.col("published") & (pl.col("split") == "test"))
    costs = ["predict_ms_per_image", "train_seconds"]
    cost = choose("Cost", costs, "cost", words=labels.column)
    known = rows.filter(pl.col(cost).is_not_null() & pl.col("accuracy").is_not_null())
    if known.is_empty():
        st.write("No model has been timed yet.")
        return
    chart(
        charts.cost_against_accuracy(known, cost),
        name=f"accuracy-against-{cost}",
        source=source,
        data=known.select("architecture", "rescaling", "accuracy", cost),
        n=max(known["images"].to_list()),
        of="test images per model",
        unit="% of test images",
    )


def show_studies() -> None:
    comparison, source = results.comparison()
    ours = set(comparison.filter(pl.col("source") == "ours")["study"].drop_nulls())
    studies = sorted(set(comparison["study"].drop_nulls()) - {"main"}, key=lambda name: (name not in ours, name))
    if not studies:
        st.info("No study has been run: materialise the asset `study_trial`, then `model_comparison`.")
        return
    study = choose("Study", studies, "study", words=labels.rule)
    rows = compared(study).with_columns(
        label=pl.when(pl.lit(study == "regularisation")).then(pl.col("recipe")).otherwise(pl.col("label"))
    )
    rows = rows.sort("published", "label")
    chart(
        charts.accuracy_dots(rows, "accuracy"),
        name=f"study-{study}",
        source=source,
        data=rows.drop("label"),
        n=rows.unique("split")["images"].sum() or None,
        of="images per trial over the splits",
        unit="% of images; hollow marks are published figures",
    )


section("Accuracy", show_accuracy)
section("Training curves", show_training)
section("Cost against accuracy", show_cost)
section("Studies", show_studies)
