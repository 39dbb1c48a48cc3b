"""A grid of images with what was said of them."""

import numpy as np
import polars as pl
import streamlit as st

from dashboard import labels
from dashboard.results import Results

_SIDE = 160
_COLUMNS = 6


def show_gallery(results: Results, rows: pl.DataFrame, rescaling: str) -> None:
    """Show predictions as pictures, each with its actual and predicted class, confidence and dataset."""
    pictures, as_seen = results.pictures(rows, rescaling)
    if as_seen:
        st.caption(f"Rescaled as the model saw them: {labels.rescaling(rescaling)}.")
    else:
        st.caption(
            "Rescaled by each image's own range: the shards that this model was evaluated on are not there any more. "
            f"Materialise `rescaled_shards` for {rescaling} to see what it saw."
        )
    for start in range(0, len(rows), _COLUMNS):
        cells = st.columns(_COLUMNS)
        for cell, number in zip(cells, range(start, min(start + _COLUMNS, len(rows))), strict=False):
            row = rows.row(number, named=True)
            with cell:
                show_picture(pictures[number])
                place = row["body_part"] or "body part not stated"
                st.markdown(
                    f"**{row['actual']}** → **{row['predicted']}**, {labels.percent(row['confidence'])}",
                    help=f"{place}; series {row['series_uid']}, file {row['source_file']}, frame {row['frame']}",
                )
                st.caption(row["dataset"])


def show_picture(picture: np.ndarray | None) -> None:
    """Show one image (H, W) in [0, 1], or say that it is not there."""
    if picture is None:
        st.caption("The decoded image is not there: materialise `decoded_images` for its dataset.")
        return
    grey = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    times = max(1, -(-_SIDE // max(grey.shape)))
    st.image(np.repeat(np.repeat(grey, times, axis=0), times, axis=1), width="stretch")
