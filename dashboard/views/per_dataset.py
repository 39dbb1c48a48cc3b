"""Per dataset: accuracy of one model, or of two, on every dataset and class, worst first."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.gallery import show_gallery
from dashboard.presentation import chart, choose, choose_model, model_name, section, start_page, table
from dashboard.results import Model
from modality_assets.modality import CLASSES, SPLITS

_NONE = "none"

results = start_page(
    "Per dataset", "How each dataset fares, worst first. Click a row for its confusion matrix and images."
)


def joined(model: Model, other: Model | None, split: str) -> pl.DataFrame:
    rows = results.per_dataset(model).filter(pl.col("split") == split).drop("split")
    rows = rows.join(results.published_accuracy(), on=["dataset", "modality"], how="left")
    if rows["published"].is_null().all():
        rows = rows.drop("published")
    if other is not None:
        theirs = results.per_dataset(other).filter(pl.col("split") == split)
        keys = ["dataset", "modality", "body_part", "format"]
        theirs = theirs.select(*keys, accuracy_other="accuracy")
        rows = rows.join(theirs, on=keys, how="left", nulls_equal=True)
        rows = rows.with_columns(difference=pl.col("accuracy") - pl.col("accuracy_other"))
    return rows.sort("accuracy", "dataset", "modality")


def show() -> None:
    first, second, third = st.columns([2, 2, 1])
    model = choose_model(results, at=first)
    others = {_NONE: "none", **{one.key: model_name(one) for one in results.models() if one.key != model.key}}
    compared_with = choose("Compare with", list(others), "other", words=others.__getitem__, at=second)
    split = choose("Split", SPLITS, "split", default="test", at=third)
    other = next((one for one in results.models() if one.key == compared_with), None)
    rows = joined(model, other, split)
    if rows.is_empty():
        st.info(f"This model has no predictions on {split}: materialise `evaluation_report` for it.")
        return
    kinds = st.columns(2)
    parts = sorted(rows["body_part"].drop_nulls().unique())
    part = choose("Body part", ["all", *parts], "part", at=kinds[0])
    modality = choose("Class", ["all", *CLASSES], "class", at=kinds[1])
    rows = rows.filter(
        (pl.lit(part == "all") | (pl.col("body_part") == part))
        & (pl.lit(modality == "all") | (pl.col("modality") == modality))
    )
    if rows.is_empty():
        st.info("No dataset meets these filters.")
        return
    order = ["dataset", "modality", "accuracy", "ci_low", "ci_high", "images"]
    rows = rows.select(*order, pl.exclude(order))
    chosen = table(
        rows,
        name="per-dataset",
        source=model.source,
        of="rows, a dataset and class each; intervals of 95 %",
        selectable=True,
    )
    linked = st.query_params.get("dataset")
    if chosen:
        linked = rows["dataset"][chosen[0]]
        st.query_params["dataset"] = linked
    if linked and linked in rows["dataset"]:
        show_dataset(model, split, linked)
    else:
        st.caption(":material/touch_app: Click the box at the left of a row for its confusion matrix and images.")
    chart(
        charts.per_dataset_dots(rows, (model_name(model), model_name(other) if other else None)),
        name="per-dataset-accuracy",
        source=model.source,
        data=rows,
        n=rows["images"].sum(),
        unit="% of images, 95 % interval; the 40 worst",
    )


def show_dataset(model: Model, split: str, dataset: str) -> None:
    with st.container(border=True):
        st.markdown(f"#### {dataset}")
        groups = results.metrics(model)[split]["breakdown"]["dataset_class"]
        matrix = [[0] * len(CLASSES) for _ in CLASSES]
        for group in groups:
            if group["dataset"] == dataset:
                matrix = [
                    [a + b for a, b in zip(*two, strict=True)] for two in zip(matrix, group["confusion"], strict=True)
                ]
        data = pl.DataFrame(
            [[name, *row] for name, row in zip(CLASSES, matrix, strict=True)], schema=["actual", *CLASSES], orient="row"
        )
        left, right = st.columns([2, 3], gap="large")
        with left:
            chart(
                charts.confusion(matrix, compact=True),
                name="dataset-confusion",
                source=model.source,
                data=data,
                n=sum(map(sum, matrix)),
                unit="images and % of the row",
            )
        with right:
            wrong_only = st.toggle("Only misclassified images", value=True, key="wrong-only")
            found, total = results.predictions(
                model, split=split, datasets=[dataset], wrong=True if wrong_only else None, most=12
            )
            if total == 0:
                st.success(
                    "Every image of this dataset is classified rightly." if wrong_only else "There are no images."
                )
            else:
                st.caption(
                    f"{len(found)} of {labels.count(total)} images, the most confident first: actual → predicted"
                )
                show_gallery(results, found, model.rescaling)


section("Every dataset and class", show)
