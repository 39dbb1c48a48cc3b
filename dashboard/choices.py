"""What a person chooses on a page; the address carries it, so that it reproduces the view."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import streamlit as st

from dashboard import labels
from dashboard.results import Model, NotMaterialisedError, Results

Width = int | Literal["stretch"]


def choose(
    label: str,
    options: Sequence[str],
    parameter: str,
    *,
    default: str | None = None,
    words: Callable[[str], str] = str,
    help_text: str | None = None,
    width: Width = "stretch",
    at: Any = st,
) -> str:
    """Show a choice that the URL carries as ``parameter``."""
    named = st.query_params.get(parameter)
    wanted = named if named in options else default
    index = list(options).index(wanted) if wanted is not None and wanted in options else 0
    key = f"choice-{parameter}"
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    chosen: str = at.selectbox(label, options, index=index, format_func=words, key=key, help=help_text, width=width)
    st.query_params[parameter] = chosen
    return chosen


def choose_many(
    label: str,
    options: Sequence[str],
    parameter: str,
    *,
    words: Callable[[str], str] = str,
    width: Width = "stretch",
    at: Any = st,
) -> list[str]:
    """Show a choice of any number, none meaning all, that the URL carries as ``parameter``."""
    wanted = [one for one in st.query_params.get_all(parameter) if one in options]
    key = f"choice-{parameter}"
    if key in st.session_state:
        st.session_state[key] = [one for one in st.session_state[key] if one in options]
        default = None
    else:
        default = wanted
    chosen: list[str] = at.multiselect(
        label, options, default=default, format_func=words, key=key, placeholder="all", width=width
    )
    if chosen:
        st.query_params[parameter] = chosen
    elif parameter in st.query_params:
        del st.query_params[parameter]
    return chosen


def choose_switch(label: str, parameter: str, *, default: bool = True, at: Any = st) -> bool:
    """Show a switch that the URL carries as ``parameter``, where it is not as by default."""
    key = f"choice-{parameter}"
    named = st.query_params.get(parameter)
    chosen: bool = at.toggle(label, value={"yes": True, "no": False}.get(named or "", default), key=key)
    if chosen != default:
        st.query_params[parameter] = "yes" if chosen else "no"
    elif named is not None:
        del st.query_params[parameter]
    return chosen


def choose_range(label: str, parameter: str, *, width: Width = "stretch", at: Any = st) -> tuple[int, int]:
    """Show a range of percent, from 0 to 100, that the URL carries as ``parameter``, such as '40-100'."""
    key = f"choice-{parameter}"
    low, high = _range(st.query_params.get(parameter, ""))
    chosen: tuple[int, int] = at.slider(label, 0, 100, (low, high), step=5, format="%d %%", key=key, width=width)
    if chosen != (0, 100):
        st.query_params[parameter] = f"{chosen[0]}-{chosen[1]}"
    elif parameter in st.query_params:
        del st.query_params[parameter]
    return chosen


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if low.isdecimal() and high.isdecimal() and 0 <= int(low) <= int(high) <= 100:
        return int(low), int(high)
    return 0, 100


def model_name(model: Model) -> str:
    """Return what a person calls a model."""
    if model.study == "baselines":
        return f"Baseline: {labels.baseline(model.architecture)}"
    name = f"{labels.architecture(model.architecture)}, {labels.rescaling(model.rescaling)}"
    return (
        name if model.study == "main" else f"{labels.rule(model.study)} study: {model.trial.replace('_', ' ')} ({name})"
    )


def choose_model(
    results: Results,
    parameter: str = "model",
    label: str = "Model",
    *,
    only_networks: bool = False,
    width: Width = "stretch",
    at: Any = st,
) -> Model:
    """Show a choice among the evaluated models, the best on validate first; ``only_networks`` leaves baselines out."""
    results.models.main()
    by_key = {model.key: model for model in results.models.all() if model.has_network or not only_networks}
    if not by_key:
        raise NotMaterialisedError("trained_model")
    key = choose(label, list(by_key), parameter, words=lambda key: model_name(by_key[key]), width=width, at=at)
    return by_key[key]
