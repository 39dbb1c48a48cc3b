"""How pages show things: one frame for every figure and table, one sentence for what is missing."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboard import labels
from dashboard.dagster_links import asset_url
from dashboard.results import Model, NotMaterialisedError, Results, Source, open_results


def start_page(title: str, sentence: str) -> Results:
    """Show title and what the page is about; return the results. Synthetic data are labelled here, on every page."""
    results = open_results()
    st.title(title, anchor=False)
    st.markdown(sentence)
    if results.synthetic():
        st.warning(
            "**Synthetic phantoms.** These images are drawn by a program, and the figures say nothing about patients.",
            icon=":material/science:",
        )
    return results


def section(title: str, show: Callable[[], None], help_text: str | None = None) -> None:
    """Show one part of a page; where its result is missing or damaged, a sentence that says how to mend it."""
    st.subheader(title, anchor=False, help=help_text)
    told(show)


def told(show: Callable[[], None]) -> None:
    """Call ``show``; say what to materialise where it finds nothing, in place of a traceback."""
    try:
        show()
    except NotMaterialisedError as missing:
        partition = f", partition `{missing.partition}`," if missing.partition else ""
        st.info(
            f"Nothing to show yet: materialise the asset `{missing.asset}`{partition} "
            f"[in the Dagster UI]({asset_url(missing.asset, missing.partition)}), "
            "or run `modality demo`, which makes everything.",
            icon=":material/hourglass_empty:",
        )
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        st.error(
            f"A result on disk cannot be read ({type(error).__name__}: {error}). "
            "Materialise its asset again in the Dagster UI; other parts of this page are not touched by it.",
            icon=":material/broken_image:",
        )


def chart(
    figure: go.Figure,
    *,
    name: str,
    source: Source,
    data: pl.DataFrame,
    n: float | Decimal | None,
    of: str = "images",
    unit: str = "",
) -> None:
    """Show a figure with its unit, n and source, and its data to download as CSV; SVG is in the figure's own menu."""
    options = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "svg", "filename": name},
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    }
    st.plotly_chart(figure, width="stretch", theme="streamlit", key=f"chart-{name}", config=options)
    _foot(name, source, data, f"n = {labels.count(n)} {of}" if n is not None else "n was not published", unit)


def table(
    frame: pl.DataFrame,
    *,
    name: str,
    source: Source,
    of: str = "rows",
    config: dict[str, Any] | None = None,
    selectable: bool = False,
    height: int | Literal["content"] | None = None,
) -> list[int]:
    """Show a sortable, searchable table with words as headings; return the rows selected by a click."""
    headings: dict[str, Any] = {column: labels.column(column) for column in frame.columns}
    headings |= _formats(frame) | (config or {})
    options: dict[str, Any] = {"placeholder": "–"} if height is None else {"placeholder": "–", "height": height}
    if selectable:
        event = st.dataframe(
            frame,
            hide_index=True,
            column_config=headings,
            key=f"table-{name}",
            on_select="rerun",
            selection_mode="single-row",
            **options,
        )
        chosen = list(event.selection.rows)
    else:
        st.dataframe(frame, hide_index=True, column_config=headings, key=f"table-{name}", **options)
        chosen = []
    _foot(name, source, frame, f"{labels.count(len(frame))} {of}", "")
    return chosen


def _formats(frame: pl.DataFrame) -> dict[str, Any]:
    shares = {"accuracy", "accuracy_other", "balanced_accuracy", "ci_low", "ci_high", "confidence", "published"}
    formats: dict[str, Any] = {}
    for column, kind in frame.schema.items():
        heading = labels.column(column)
        if column in shares or column.startswith("p_") or column in {"share", "difference"}:
            formats[column] = st.column_config.NumberColumn(heading, format="percent")
        elif kind.is_integer():
            formats[column] = st.column_config.NumberColumn(heading, format="localized")
        elif kind.is_float():
            formats[column] = st.column_config.NumberColumn(heading, format="%.3g")
    return formats


def _foot(name: str, source: Source, data: pl.DataFrame, n: str, unit: str) -> None:
    line = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False)
    made = f", materialised {labels.moment(source.created_utc)}" if source.created_utc else ""
    partition = f" ({source.partition.replace('|', ', ')})" if source.partition else ""
    said = " · ".join(part for part in (f"Unit: {unit}" if unit else "", n) if part)
    is_asset = source.asset in labels.ASSETS
    asset = f"[`{source.asset}`]({asset_url(source.asset, source.partition)})" if is_asset else source.asset
    line.caption(f"{said} · Source: {asset}{partition}{made}", width="stretch")
    flat = data.with_columns(pl.col(pl.List(pl.String)).list.join("; "))
    line.download_button(
        "CSV",
        data=flat.write_csv,
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        type="tertiary",
        width="content",
        on_click="ignore",
    )


def choose(
    label: str,
    options: Sequence[str],
    parameter: str,
    *,
    default: str | None = None,
    words: Callable[[str], str] = str,
    help_text: str | None = None,
    at: Any = st,
) -> str:
    """Show a choice that the URL carries as ``parameter``, so that the address reproduces the view."""
    named = st.query_params.get(parameter)
    wanted = named if named in options else default
    index = list(options).index(wanted) if wanted is not None and wanted in options else 0
    key = f"choice-{parameter}"
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    chosen: str = at.selectbox(label, options, index=index, format_func=words, key=key, help=help_text)
    st.query_params[parameter] = chosen
    return chosen


def choose_many(
    label: str, options: Sequence[str], parameter: str, *, words: Callable[[str], str] = str, at: Any = st
) -> list[str]:
    """Show a choice of any number, none meaning all, that the URL carries as ``parameter``."""
    wanted = [one for one in st.query_params.get_all(parameter) if one in options]
    key = f"choice-{parameter}"
    if key in st.session_state:
        st.session_state[key] = [one for one in st.session_state[key] if one in options]
        chosen: list[str] = at.multiselect(label, options, format_func=words, key=key, placeholder="all")
    else:
        chosen = at.multiselect(label, options, default=wanted, format_func=words, key=key, placeholder="all")
    if chosen:
        st.query_params[parameter] = chosen
    elif parameter in st.query_params:
        del st.query_params[parameter]
    return chosen


def model_name(model: Model) -> str:
    """Return what a person calls a model."""
    name = f"{labels.architecture(model.architecture)}, {labels.rescaling(model.rescaling)}"
    return (
        name if model.study == "main" else f"{labels.rule(model.study)} study: {model.trial.replace('_', ' ')} ({name})"
    )


def choose_model(results: Results, parameter: str = "model", label: str = "Model", *, at: Any = st) -> Model:
    """Show a choice among the evaluated models, the best on validate first."""
    models = [*results.main_models(), *(model for model in results.models() if model.study != "main")]
    by_key = {model.key: model for model in models}
    key = choose(label, list(by_key), parameter, words=lambda key: model_name(by_key[key]), at=at)
    return by_key[key]
