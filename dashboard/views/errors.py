"""Errors: how classes are confused, the misclassified images, and where headers and models disagree."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.choices import choose, choose_many, choose_model, choose_range
from dashboard.confusion import confused_in_words, confusion_table, most_confused
from dashboard.exhibits import chart, table
from dashboard.gallery import open_linked_image, show_gallery
from dashboard.presentation import section, start_page, told
from dashboard.results import Model, Wanted
from modality_assets.modality import CLASSES, SPLITS

_PAGE = 24

results = start_page("Errors", "How classes are confused, and the images behind it.")


def show_confusion(model: Model, split: str) -> None:
    found = results.models.metrics(model).get(split)
    if found is None:
        st.info(f"This model has no predictions on {split}: materialise `evaluation_report` for it.")
        return
    left, right = st.columns([5, 4], gap="large")
    with left:
        chart(
            charts.confusion(found["confusion"]),
            name="confusion",
            source=model.source,
            data=confusion_table(found["confusion"]),
            n=found["images"],
            unit="images and % of the actual class",
        )
    with right:
        st.markdown(
            f"**{labels.percent(found['accuracy'])}** of {labels.count(found['images'])} images are right "
            f"(balanced {labels.percent(found['balanced_accuracy'])})."
        )
        for sentence in confused_in_words(found["confusion"]):
            st.markdown(sentence)
        per_class = pl.DataFrame(
            [
                {"Class": name, "Precision": one["precision"], "Recall": one["recall"], "ROC area": one["auc"]}
                for name, one in found["per_class"].items()
            ],
            infer_schema_length=None,
        )
        percent = {name: st.column_config.NumberColumn(format="percent") for name in ("Precision", "Recall")}
        table(per_class, name="per-class", source=model.source, of="classes", config=percent, height="content")


def show_reliability(model: Model, split: str) -> None:
    found = results.models.metrics(model).get(split, {})
    bins = found.get("reliability", [])
    if not bins:
        st.write("The report says nothing about confidence.")
        return
    chart(
        charts.reliability(bins),
        name="reliability",
        source=model.source,
        data=pl.DataFrame(bins),
        n=found["images"],
        unit="%; the area of a mark grows with its images",
    )


def reliability_in_words(model: Model, split: str) -> str | None:
    found = results.models.metrics(model).get(split, {})
    if found.get("ece") is None:
        return None
    return f"Confidence is off by {labels.percent(found['ece'])} on average"


@st.fragment
def show_images(model: Model, split: str) -> None:
    line = st.container(horizontal=True, gap="medium")
    datasets = sorted(results.models.per_dataset(model).filter(pl.col("split") == split)["dataset"].unique())
    chosen = choose_many("Datasets", datasets, "dataset", width=260, at=line)
    actual = choose_many("Actual class", CLASSES, "actual", width=170, at=line)
    predicted = choose_many("Predicted class", CLASSES, "predicted", width=170, at=line)
    low, high = choose_range("Confidence", "confidence", width=220, at=line)
    order = choose("First", ["surest", "least sure"], "order", words=lambda one: f"the {one}", width=170, at=line)
    wanted = Wanted(
        split,
        tuple(chosen),
        tuple(actual),
        tuple(predicted),
        wrong=True,
        confidence=(low / 100, high / 100),
        surest_first=order == "surest",
    )
    page = st.session_state.get("gallery-page", 1)
    found, total = results.predictions.find(model, wanted, start=_PAGE * (page - 1), most=_PAGE)
    if not total:
        st.success("No misclassified image meets these filters.")
        return
    pages = -(-total // _PAGE)
    if page > pages:
        st.session_state["gallery-page"] = page = 1
        found, total = results.predictions.find(model, wanted, most=_PAGE)
    line = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom")
    first = _PAGE * (page - 1)
    line.markdown(
        f"**{first + 1} to {first + len(found)} of {labels.count(total)}** misclassified images: actual → predicted, "
        "confidence",
        width="stretch",
    )
    if pages > 1:
        line.number_input("Page", 1, pages, key="gallery-page", width=140, help=f"of {labels.count(pages)}")
    show_gallery(results, model, found)
    keys = ["dataset", "source_file", "frame", "actual", "predicted", "confidence", *(f"p_{name}" for name in CLASSES)]
    with st.expander("As a table"):
        table(found.select(keys), name="misclassified", source=model.source, of="images")


def disagreements_in_words() -> str:
    found, _ = results.models.disagreements()
    return f"Header and pixels disagree on {labels.count(len(found))} series"


def show_disagreements() -> None:
    found, source = results.models.disagreements()
    if found.is_empty():
        st.success("No series: headers and pixels agree.")
        return
    st.markdown(
        "Series of which the header says one class and the models' pixels another. Some are errors of the models, "
        "some of the archive: look before you trust either."
    )
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


def confusion_in_words(model: Model, split: str) -> str | None:
    found = results.models.metrics(model).get(split)
    return found and most_confused(found["confusion"])


def show() -> None:
    line = st.container(horizontal=True, gap="medium")
    model = choose_model(results, width=440, at=line)
    split = choose("Split", SPLITS, "split", default="test", width=150, at=line)
    open_linked_image(results, model)
    section(
        "Confusion",
        lambda: show_confusion(model, split),
        finding=lambda: confusion_in_words(model, split),
        help_text="Rows are the actual class, columns the predicted one.",
    )
    section("Misclassified images", lambda: show_images(model, split))
    section(
        "Does confidence mean what it says?",
        lambda: show_reliability(model, split),
        finding=lambda: reliability_in_words(model, split),
        help_text="Of images named with 80 % confidence, 80 % should be right: then marks lie on the diagonal.",
    )


told(show)
section("Header and pixels disagree", show_disagreements, finding=disagreements_in_words)
