"""Try it: upload files, see their class, or why they are refused. Nothing that is uploaded is kept."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import choose_model, start_page, told
from dashboard.uploads import MOST_BYTES, MOST_FILES, TooMuchError, predict_uploads
from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import PredictionError
from modality_assets.prediction.prediction import UNKNOWN
from modality_assets.prediction.predictor import Predictor

_MOST_SHOWN = 30

results = start_page(
    "Try it",
    "Upload DICOM, NIfTI, NRRD, PNG, JPEG, TIFF or a zip of them, and see what a model says. "
    f"At most {MOST_FILES} files and {MOST_BYTES >> 20} MB at once; nothing that you upload is kept.",
)


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def loaded(folder: str, _written: str | None) -> Predictor:
    return Predictor.load(folder)


def show() -> None:
    model = choose_model(results)
    uploads = st.file_uploader("Files", accept_multiple_files=True, max_upload_size=MOST_BYTES >> 20)
    if not uploads:
        st.caption(
            "The Modality tag of a file is never read: pixels, and native intensities where there are any, decide."
        )
        return
    try:
        predictor = loaded(str(model.folder), model.source.created_utc)
        with st.spinner("Looking …"):
            found = predict_uploads(predictor, uploads)
    except TooMuchError as error:
        st.error(str(error))
        return
    except (PredictionError, OSError, ValueError) as error:
        st.error(f"The model cannot be used ({error}): materialise `trained_model` for it again.")
        return
    refused = [one for one in found if one.error is not None]
    for vote in predictor.vote(found)[:_MOST_SHOWN]:
        said = "Not sure" if vote.modality == UNKNOWN else labels.CLASS_NAMES[vote.modality]
        with st.container(border=True):
            left, right = st.columns([1, 2], vertical_alignment="center")
            left.markdown(f"### {said}")
            left.caption(f"{vote.path} · {vote.images} image{'s' * (vote.images > 1)} · evidence: {vote.evidence}")
            right.plotly_chart(charts.probabilities(vote.probabilities), width="stretch", key=f"vote-{vote.series}")
    for one in refused[:_MOST_SHOWN]:
        st.error(f"**{one.path}** is refused: {one.error}", icon=":material/block:")
    if len(refused) > _MOST_SHOWN:
        st.caption(f"{len(refused) - _MOST_SHOWN} more files are refused.")
    good = [one for one in found if one.error is None and one.probabilities]
    if good:
        rows = pl.DataFrame(
            [
                {
                    "source_file": one.path,
                    "frame": one.frame,
                    "predicted": one.modality,
                    **{f"p_{name}": (one.probabilities or {})[name] for name in CLASSES},
                    "evidence": one.evidence,
                }
                for one in good
            ]
        )
        st.download_button(
            "Every image as CSV",
            rows.write_csv(),
            "predictions.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


told(show)
