"""Models that visitors ask: loaded when first needed, few of them, and asked by one visitor at a time.

One after the other, each on all cores, is as quick for everybody together, and memory has a bound that the number of
visitors does not move.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import streamlit as st

from dashboard.results import Model
from modality_assets.prediction.predictor import Predictor

_turn = threading.Lock()
_SECONDS = 120


class ModelNotAskedError(Exception):
    """A model cannot be asked: it cannot be loaded, or others have asked for longer than a person waits."""


@contextmanager
def predictor_of(model: Model) -> Iterator[Predictor]:
    """Give the predictor of a model, to this visitor alone; raise `ModelNotAskedError`, also after two minutes."""
    if not _turn.acquire(timeout=_SECONDS):
        raise ModelNotAskedError(f"others have asked for more than {_SECONDS} s: try again in a minute")
    try:
        yield _loaded(str(model.folder), model.source.created_utc)
    finally:
        _turn.release()


@st.cache_resource(max_entries=2, show_spinner=False)
def _loaded(folder: str, _written: str | None) -> Predictor:
    try:
        return Predictor.load(folder)
    except Exception as error:  # whatever is wrong with its files, the page says so and the rest of it works
        raise ModelNotAskedError(f"the model cannot be loaded ({error}): materialise `trained_model` for it") from error


def overlaid(picture: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) uint8: an image (H, W) in [0, 1] in grey, amber where ``saliency`` (H, W) in [0, 1] is high."""
    grey = np.repeat(np.clip(picture, 0, 1)[..., None], 3, axis=2)
    amber = np.array([1.0, 0.72, 0.0])
    share = 0.65 * np.clip(saliency, 0, 1)[..., None]
    mixed: np.ndarray = np.round(255 * ((1 - share) * grey + share * amber)).astype(np.uint8)
    return mixed
