"""Try it: upload files, see their class, or why they are refused. Nothing that is uploaded is kept."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from dashboard import charts, labels
from dashboard.presentation import choose_model, start_page, told
from modality_assets.modality import CLASSES
from modality_assets.prediction.errors import PredictionError
from modality_assets.prediction.prediction import UNKNOWN, Prediction
from modality_assets.prediction.predictor import Predictor

_MOST_BYTES = 200 << 20
_MOST_FILES = 50
_MOST_SHOWN = 30

results = start_page(
    "Try it",
    "Upload DICOM, NIfTI, NRRD, PNG, JPEG, TIFF or a zip of them, and see what a model says. "
    f"At most {_MOST_FILES} files and {_MOST_BYTES >> 20} MB at once; nothing that you upload is kept.",
)


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def loaded(folder: str, _written: str | None) -> Predictor:
    return Predictor.load(folder)


def predict(predictor: Predictor, uploads: Sequence[Any]) -> list[Prediction]:
    """Write the uploads into a folder that is gone afterwards, each in a place of its own, and predict them."""
    with tempfile.TemporaryDirectory(prefix="modality-upload-") as folder:
        named = {}
        for number, upload in enumerate(uploads):
            # the name comes from outside: only its ending is used, and that only if it is plain
            endings = [ending for ending in Path(upload.name).suffixes[-2:] if ending[1:].isalnum() and len(ending) < 9]
            path = Path(folder, f"{number:03d}" + "".join(endings))
            path.write_bytes(upload.getbuffer())
            named[str(path)] = upload.name
        found = list(predictor.predict(list(named), workers=1))
    return [_renamed(one, named) for one in found]


def _renamed(one: Prediction, named: dict[str, str]) -> Prediction:
    for path, name in named.items():
        if one.path == path or one.path.startswith(path + "/"):
            error = one.error.replace(path, name).replace(Path(path).name, name) if one.error else None
            shown = name + one.path[len(path) :]
            return Prediction(shown, one.series_uid, one.frame, one.modality, one.probabilities, one.evidence, error)
    return one


def show() -> None:
    model = choose_model(results)
    uploads = st.file_uploader("Files", accept_multiple_files=True, max_upload_size=_MOST_BYTES >> 20)
    if not uploads:
        st.caption(
            "The Modality tag of a file is never read: pixels, and native intensities where there are any, decide."
        )
        return
    if len(uploads) > _MOST_FILES or sum(upload.size for upload in uploads) > _MOST_BYTES:
        st.error(
            f"That is more than {_MOST_FILES} files or {_MOST_BYTES >> 20} MB: choose fewer, or use `modality predict`."
        )
        return
    try:
        predictor = loaded(str(model.folder), model.source.created_utc)
        with st.spinner("Looking …"):
            found = predict(predictor, uploads)
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
