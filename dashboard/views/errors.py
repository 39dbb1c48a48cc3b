"""Errors: the confusion matrix, misclassified images, and where headers and models disagree."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.gallery import show_gallery
from dashboard.presentation import chart, choose, choose_many, choose_model, section, start_page, table, told
from dashboard.results import Model
from modality_assets.modality import CLASSES, SPLITS

_PAGE = 24

results = start_page("Errors", "How classes are confused, and the images behind it.")


def show_confusion(model: Model, split: str) -> None:
    found = results.metrics(model).get(split)
    if found is None:
        st.info(f"This model has no predictions on {split}: materialise `evaluation_report` for it.")
        return
    matrix = found["confusion"]
    wrong = sorted(
        ((matrix[i][j], CLASSES[i], CLASSES[j]) for i in range(len(CLASSES)) for j in range(len(CLASSES)) if i != j),
        reverse=True,
    )
    if wrong[0][0]:
        most, actual, predicted = wrong[0]
        st.markdown(
            f"**{labels.percent(found['accuracy'])}** of {labels.count(found['images'])} images are right. "
            "The most frequent confusion: "
            f"**{labels.count(most)}** images of **{actual}** are taken for **{predicted}**."
        )
    else:
        st.markdown(f"All {labels.count(found['images'])} images are right.")
    data = pl.DataFrame(
        [[name, *row] for name, row in zip(CLASSES, matrix, strict=True)], schema=["actual", *CLASSES], orient="row"
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Confusion matrix**")
        chart(
            charts.confusion(matrix),
            name="confusion",
            source=model.source,
            data=data,
            n=found["images"],
            unit="images and % of the actual class",
        )
    with right:
        st.markdown("**Does confidence mean what it says?**")
        bins = found.get("reliability", [])
        chart(
            charts.reliability(bins),
            name="reliability",
            source=model.source,
            data=pl.DataFrame(bins),
            n=found["images"],
            unit="%; the area of a mark grows with its images",
        )
    per_class = [
        {
            "Class": labels.CLASS_NAMES[name],
            "Images": one["images"],
            "Precision": one["precision"],
            "Recall": one["recall"],
            "F1": one["f1"],
            "Area under ROC": one["auc"],
        }
        for name, one in found["per_class"].items()
    ]
    percent = {name: st.column_config.NumberColumn(format="percent") for name in ("Precision", "Recall", "F1")}
    table(
        pl.DataFrame(per_class, infer_schema_length=None),
        name="per-class",
        source=model.source,
        of="classes",
        config=percent,
    )


def show_images(model: Model, split: str) -> None:
    cells = st.columns([2, 1, 1, 1])
    datasets = sorted(results.per_dataset(model).filter(pl.col("split") == split)["dataset"].unique())
    chosen = choose_many("Datasets", datasets, "dataset", at=cells[0])
    actual = choose_many("Actual class", CLASSES, "actual", at=cells[1])
    predicted = choose_many("Predicted class", CLASSES, "predicted", at=cells[2])
    order = choose("Order", ["surest", "least sure"], "order", words=lambda one: f"{one} first", at=cells[3])
    found, total = results.predictions(
        model,
        split=split,
        datasets=chosen,
        actual=actual,
        predicted=predicted,
        wrong=True,
        surest_first=order == "surest",
        most=_PAGE,
    )
    if not total:
        st.success("No misclassified image meets these filters.")
        return
    st.caption(f"{len(found)} of {labels.count(total)} misclassified images: actual → predicted, confidence")
    show_gallery(results, found, model.rescaling)
    keys = ["dataset", "source_file", "frame", "actual", "predicted", "confidence", *(f"p_{name}" for name in CLASSES)]
    with st.expander("As a table"):
        table(found.select(keys), name="misclassified", source=model.source, of="images")


def show_disagreements() -> None:
    found, source = results.disagreements()
    st.markdown(
        "Series of which the header says one class and the models' pixels another. Some are errors of the models, "
        "some of the archive: look before you trust either."
    )
    if found.is_empty():
        st.success("No series: headers and pixels agree.")
        return
    order = [
        "dataset",
        "header",
        "pixels",
        "confidence",
        "images",
        "models",
        "agreeing_models",
        "series_description",
        "modality_tag",
        "split",
    ]
    table(
        found.select(*order, "patient_id", "series_uid", *(f"p_{name}" for name in CLASSES)),
        name="disagreements",
        source=source,
        of="series",
    )


def show() -> None:
    left, right = st.columns([3, 1])
    model = choose_model(results, at=left)
    split = choose("Split", SPLITS, "split", default="test", at=right)
    told(lambda: show_confusion(model, split))
    section("Misclassified images", lambda: show_images(model, split))


told(show)
section("Header and pixels disagree", show_disagreements)
