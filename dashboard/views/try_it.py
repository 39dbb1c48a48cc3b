"""Try it: upload files, see their class, or why they are refused. Nothing that is uploaded is kept."""

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.asked_models import ModelNotAskedError, overlaid, predictor_of
from dashboard.choices import choose_model
from dashboard.gallery import show_coloured, show_picture
from dashboard.presentation import start_page, told
from dashboard.results import Model
from dashboard.uploads import MOST_BYTES, MOST_FILES, MOST_IMAGES, Answer, TooMuchError, answer_uploads
from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import PredictionError
from modality_assets.prediction.prediction import UNKNOWN

_MOST_SHOWN = 20

results = start_page(
    "Try it",
    "Upload DICOM, NIfTI, NRRD, PNG, JPEG, TIFF or a zip of them, and see what a model says, and why. "
    f"At most {MOST_FILES} files, {MOST_BYTES >> 20} MB and {MOST_IMAGES} images at once; "
    "nothing that you upload is kept.",
)


def show() -> None:
    model = choose_model(results, only_networks=True, width=440)
    uploads = st.file_uploader("Files", accept_multiple_files=True, max_upload_size=MOST_BYTES >> 20)
    if not uploads:
        st.caption(
            "The Modality tag of a file is never read: pixels, and native intensities where there are any, decide."
        )
        return
    asked = (model.key, model.source.created_utc, *(upload.file_id for upload in uploads))
    if st.session_state.get("asked") != asked:
        try:
            with st.spinner("Looking … one visitor after the other", show_time=True), predictor_of(model) as predictor:
                st.session_state["answer"] = answer_uploads(predictor, uploads)
                st.session_state["asked"] = asked
        except (TooMuchError, ModelNotAskedError, PredictionError, OSError) as error:
            st.error(f"{str(error)[:1].upper()}{str(error)[1:]}.", icon=":material/block:")
            return
    show_answer(model, st.session_state["answer"])


def show_answer(model: Model, answer: Answer) -> None:
    for vote in answer.votes[:_MOST_SHOWN]:
        with st.container(border=True):
            show_vote(answer, vote.series)
    if len(answer.votes) > _MOST_SHOWN:
        st.caption(f"{len(answer.votes) - _MOST_SHOWN} more series or files are in the CSV.")
    for one in answer.refused[:_MOST_SHOWN]:
        st.error(f"**{one.path}** is refused: {one.error}", icon=":material/block:")
    if len(answer.refused) > _MOST_SHOWN:
        st.caption(f"{len(answer.refused) - _MOST_SHOWN} more files are refused.")
    if answer.cut_off:
        st.warning(f"Only the first {MOST_IMAGES} images were looked at. For more: `modality predict`.")
    if answer.images:
        rows = pl.DataFrame(
            [
                {
                    "source_file": one.path,
                    "frame": one.frame,
                    "predicted": one.modality,
                    **{f"p_{name}": (one.probabilities or {})[name] for name in CLASSES},
                    "evidence": one.evidence,
                }
                for one in answer.images
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
    st.caption(f"Answered by {labels.architecture(model.architecture)}, {labels.rescaling(model.rescaling)}.")


def show_vote(answer: Answer, series: str) -> None:
    vote = next(one for one in answer.votes if one.series == series)
    said = "Not sure" if vote.modality == UNKNOWN else labels.CLASS_NAMES[vote.modality]
    picture, saliency = answer.pictures.get(series, (None, None))
    words, image, why, shares = st.columns([3, 2, 2, 4], vertical_alignment="center")
    words.markdown(f"### {said}")
    words.caption(f"{vote.path} · {labels.plural(vote.images, 'image')} · evidence: {vote.evidence}")
    if picture is not None:
        with image:
            show_picture(picture)
            st.caption("As the model saw it")
    if picture is not None and saliency is not None:
        with why:
            show_coloured(overlaid(picture, saliency))
            st.caption(f"Amber: what speaks for {answer.likeliest(vote)}")
    shares.plotly_chart(charts.probabilities(vote.probabilities), width="stretch", key=f"vote-{series}")


told(show)
