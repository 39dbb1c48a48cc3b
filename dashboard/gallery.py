"""A grid of images with what was said of them; one of them closely, with what speaks for its class."""

import numpy as np
import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.asked_models import ModelNotAskedError, overlaid, predictor_of
from dashboard.results import Model, Results
from dashboard.viewers import viewer_url
from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import PredictionError

_SIDE = 160
_LARGE = 420
_COLUMNS = 6
_PARAMETER = "image"


def show_gallery(results: Results, model: Model, rows: pl.DataFrame) -> None:
    """Show predictions as pictures, each with its actual and predicted class, confidence and dataset.

    A click on one opens it closely; the URL carries its row as ``image``.
    """
    pictures, as_seen = results.predictions.pictures(rows, model.rescaling)
    if as_seen:
        st.caption(f"Rescaled as the model saw them: {labels.rescaling(model.rescaling)}.")
    else:
        st.caption(
            "Rescaled by each image's own range: the shards that this model was evaluated on are not there any more. "
            f"Materialise `rescaled_shards` for {model.rescaling} to see what it saw."
        )
    for start in range(0, len(rows), _COLUMNS):
        cells = st.columns(_COLUMNS)
        for cell, number in zip(cells, range(start, min(start + _COLUMNS, len(rows))), strict=False):
            row = rows.row(number, named=True)
            with cell:
                show_picture(pictures[number])
                st.markdown(f"**{row['actual']}** → **{row['predicted']}**, {labels.percent(row['confidence'], 0)}")
                st.caption(f"{row['dataset']} · {row['body_part'] or 'body part not stated'}")
                if st.button("Look closer", key=f"closer-{row['row']}", icon=":material/zoom_in:", type="tertiary"):
                    st.query_params[_PARAMETER] = str(row["row"])
                    look_closer(results, model, row["row"])


def open_linked_image(results: Results, model: Model) -> None:
    """Open the image that the URL names, once, where the page is opened with one."""
    row = st.query_params.get(_PARAMETER, "")
    if row.isdecimal() and len(row) < 10 and st.session_state.get("opened") != row:
        st.session_state["opened"] = row
        look_closer(results, model, int(row))


def _forget_image() -> None:
    st.session_state.pop("opened", None)
    if _PARAMETER in st.query_params:
        del st.query_params[_PARAMETER]


@st.dialog("One image, closely", width="large", on_dismiss=_forget_image)
def look_closer(results: Results, model: Model, number: int) -> None:
    """Show one prediction with its probabilities, its provenance, and what in the image speaks for its class."""
    st.session_state["opened"] = str(number)
    rows = results.predictions.at(model, [number])
    if rows.is_empty():
        st.info("The model's table of predictions has no such row.")
        return
    row = rows.row(0, named=True)
    (picture,), _ = results.predictions.pictures(rows, model.rescaling)
    st.markdown(
        f"#### {row['actual']} taken for {row['predicted']}, {labels.percent(row['confidence'])} sure"
        if row["actual"] != row["predicted"]
        else f"#### {row['actual']}, recognised, {labels.percent(row['confidence'])} sure"
    )
    left, right = st.columns(2)
    with left:
        show_picture(picture, side=_LARGE)
        st.caption("As the model saw it")
    with right:
        if picture is not None:
            chosen = st.segmented_control(
                "What speaks for", CLASSES, default=row["predicted"], key=f"speaks-{number}", format_func=_speaks_for
            )
            show_saliency(model, picture, chosen or row["predicted"])
    st.plotly_chart(
        charts.probabilities({name: row[f"p_{name}"] for name in CLASSES}), width="stretch", key=f"p-{number}"
    )
    url = viewer_url(results.archive_name(), row["study_uid"], row["series_uid"])
    st.caption(
        f"Dataset {row['dataset']}, {row['body_part'] or 'body part not stated'}, {row['split']} split, "
        f"{row['format']}; "
        f"series `{row['series_uid'] or '–'}`, file `{row['source_file']}`, frame {row['frame']}"
        + (f" · [Open the study in the IDC viewer]({url})" if url else "")
    )


def _speaks_for(name: str) -> str:
    return f"for {name}"


def show_saliency(model: Model, picture: np.ndarray, modality: str) -> None:
    """Show what in an image speaks for ``modality``, amber over grey; or why that cannot be said."""
    try:
        with st.spinner("Asking the model …"), predictor_of(model) as predictor:
            (saliency,) = predictor.saliency(picture[None].astype(np.float32), [modality])
    except (ModelNotAskedError, PredictionError) as error:
        st.info(f"What speaks for {modality} cannot be shown: {error}.")
        return
    if not saliency.any():
        st.caption(f"Nothing at the layer looked at speaks for {modality}.")
    show_coloured(overlaid(picture, saliency), side=_LARGE)
    st.caption(
        f"Amber: what speaks for {modality} (Grad-CAM). "
        "It shows where evidence was found, not that it is the right evidence."
    )


def show_picture(picture: np.ndarray | None, side: int = _SIDE) -> None:
    """Show one image (H, W) in [0, 1], or say that it is not there."""
    if picture is None:
        st.caption("The decoded image is not there: materialise `decoded_images` for its dataset.")
        return
    grey = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    st.image(_enlarged(grey, side), width="stretch")


def show_coloured(pixels: np.ndarray, side: int = _SIDE) -> None:
    """Show one coloured image (H, W, 3) uint8."""
    st.image(_enlarged(pixels, side), width="stretch")


def _enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    """Repeat pixels until the longer side has ``side`` of them: sharp, not blurred by the browser."""
    times = max(1, -(-side // max(pixels.shape[:2])))
    return np.repeat(np.repeat(pixels, times, axis=0), times, axis=1)
