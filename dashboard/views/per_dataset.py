"""Per dataset: accuracy of one model, or of two, on every dataset and class, worst first."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.choices import choose, choose_model, choose_switch, model_name
from dashboard.confusion import confused_in_words, confusion_table, most_confused, of_dataset
from dashboard.exhibits import chart, table
from dashboard.gallery import open_linked_image, show_gallery
from dashboard.presentation import section, start_page, told
from dashboard.results import Model, Wanted
from modality_assets.modality import CLASSES, SPLITS

_NONE = "none"
_IMAGES = 12

results = start_page(
    "Per dataset", "How each dataset fares, worst first. Click a row for its confusion matrix and images."
)


def joined(model: Model, other: Model | None, split: str) -> pl.DataFrame:
    rows = results.models.per_dataset(model).filter(pl.col("split") == split).drop("split")
    if rows["published"].is_null().all():
        rows = rows.drop("published")
    if other is not None:
        theirs = results.models.per_dataset(other).filter(pl.col("split") == split)
        keys = ["dataset", "modality", "body_part", "format"]
        theirs = theirs.select(*keys, accuracy_other="accuracy")
        rows = rows.join(theirs, on=keys, how="left", nulls_equal=True)
        rows = rows.with_columns(difference=pl.col("accuracy") - pl.col("accuracy_other"))
    return rows.sort("accuracy", "dataset", "modality")


def show() -> None:
    line = st.container(horizontal=True, gap="medium")
    model = choose_model(results, width=320, at=line)
    models = [one for one in results.models.all() if one.key != model.key]
    others = {_NONE: "no other", **{one.key: model_name(one) for one in models}}
    compared_with = choose("Compare with", list(others), "other", words=others.__getitem__, width=320, at=line)
    split = choose("Split", SPLITS, "split", default="test", width=130, at=line)
    other = next((one for one in models if one.key == compared_with), None)
    rows = joined(model, other, split)
    parts = sorted(rows["body_part"].drop_nulls().unique())
    part = choose("Body part", ["all", *parts], "part", width=150, at=line)
    modality = choose("Class", ["all", *CLASSES], "class", width=110, at=line)
    open_linked_image(results, model)
    if rows.is_empty():
        st.info(f"This model has no predictions on {split}: materialise `evaluation_report` for it.")
        return
    rows = rows.filter(
        (pl.lit(part == "all") | (pl.col("body_part") == part))
        & (pl.lit(modality == "all") | (pl.col("modality") == modality))
    )
    if rows.is_empty():
        st.info("No dataset meets these filters.")
        return
    section("Accuracy", lambda: show_dots(model, other, rows), finding=lambda: worst_in_words(rows))
    section("Every dataset and class", lambda: show_rows(model, split, rows))


def worst_in_words(rows: pl.DataFrame) -> str:
    worst = rows.row(0, named=True)
    return f"Worst: {worst['dataset']}, {worst['modality']}, {labels.percent(worst['accuracy'], 0)}"


def show_dots(model: Model, other: Model | None, rows: pl.DataFrame) -> None:
    figure = charts.per_dataset_dots(rows, (model_name(model), model_name(other) if other else None))
    chart(
        figure,
        name="per-dataset-accuracy",
        source=model.source,
        data=rows,
        n=rows["images"].sum(),
        unit=f"% of images, 95 % interval; the {min(15, len(rows))} worst of {len(rows)} datasets and classes",
    )


def show_rows(model: Model, split: str, rows: pl.DataFrame) -> None:
    order = ["dataset", "modality", "accuracy", "ci_low", "ci_high", "images"]
    shown = rows.select(*order, pl.exclude(order))
    chosen = table(
        shown,
        name="per-dataset",
        source=model.source,
        of="rows, a dataset and class each; 95 % intervals",
        selectable=True,
    )
    linked = st.query_params.get("dataset")
    if len(chosen):
        linked = chosen["dataset"][0]
        st.query_params["dataset"] = linked
    if linked and linked in rows["dataset"]:
        show_dataset(model, split, linked)
    else:
        st.caption(":material/touch_app: Click the box at the left of a row for its confusion matrix and images.")


def show_dataset(model: Model, split: str, dataset: str) -> None:
    with st.container(border=True):
        matrix = of_dataset(results.models.metrics(model)[split]["breakdown"]["dataset_class"], dataset)
        st.markdown(f"#### {dataset}")
        st.markdown(f"{most_confused(matrix)}.")
        left, right = st.columns([3, 2], gap="large")
        with left:
            chart(
                charts.confusion(matrix, compact=True),
                name="dataset-confusion",
                source=model.source,
                data=confusion_table(matrix),
                n=sum(map(sum, matrix)),
                unit="images and % of the actual class",
            )
        with right:
            for sentence in confused_in_words(matrix):
                if "no images" not in sentence:
                    st.markdown(sentence)
        told(lambda: show_images(model, split, dataset))


@st.fragment
def show_images(model: Model, split: str, dataset: str) -> None:
    wrong_only = choose_switch("Only misclassified images", "wrong")
    wanted = Wanted(split, (dataset,), wrong=True if wrong_only else None)
    found, total = results.predictions.find(model, wanted, most=_IMAGES)
    if total == 0:
        st.success("Every image of this dataset is classified rightly." if wrong_only else "There are no images.")
        return
    st.markdown(f"**{len(found)} of {labels.count(total)}** images, the most confident first: actual → predicted")
    show_gallery(results, model, found)


told(show)
