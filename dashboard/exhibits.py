"""Figures and tables as pages show them: with unit, n, source and a download, and tables with a filter."""

from decimal import Decimal
from time import sleep
from typing import Any, Literal

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboard import labels
from dashboard.dagster_links import asset_url
from dashboard.results import Source

HEAD_START_SECONDS = 0.5
"""How long the rest of a visitor's first page waits behind its first figure: a browser draws whatever it has got in
one go, so that every further figure and table would keep the first from being seen."""

_FILTER_FROM = 9
_SHARES = {
    "accuracy",
    "accuracy_after",
    "accuracy_before",
    "accuracy_other",
    "balanced_accuracy",
    "ci_high",
    "ci_low",
    "confidence",
    "difference",
    "published",
    "share",
}
_MENU = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}


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
    options = _MENU | {"toImageButtonOptions": {"format": "svg", "filename": name}}
    st.plotly_chart(figure, width="stretch", theme="streamlit", key=f"chart-{name}", config=options)
    _foot(name, source, data, f"n = {labels.count(n)} {of}" if n is not None else "n was not published", unit)
    if "has-figure" not in st.session_state:
        st.session_state["has-figure"] = True
        sleep(HEAD_START_SECONDS)


def table(
    frame: pl.DataFrame,
    *,
    name: str,
    source: Source,
    of: str = "rows",
    config: dict[str, Any] | None = None,
    selectable: bool = False,
    height: int | Literal["content"] | None = None,
) -> pl.DataFrame:
    """Show a table with words as headings, sorted by a click on one, filtered by words; return the row clicked.

    The result has one row or none. The filter is in the URL.
    """
    headings: dict[str, Any] = {column: labels.column(column) for column in frame.columns}
    headings |= _formats(frame) | (config or {})
    shown = _filtered(frame, name) if len(frame) >= _FILTER_FROM else frame
    options: dict[str, Any] = {"placeholder": "–"} if height is None else {"placeholder": "–", "height": height}
    chosen: list[int] = []
    if selectable:
        event = st.dataframe(
            shown,
            hide_index=True,
            column_config=headings,
            key=f"table-{name}",
            on_select="rerun",
            selection_mode="single-row",
            **options,
        )
        chosen = [row for row in event.selection.rows if row < len(shown)]
    else:
        st.dataframe(shown, hide_index=True, column_config=headings, key=f"table-{name}", **options)
    some = "" if len(shown) == len(frame) else f"{labels.count(len(shown))} of "
    _foot(name, source, shown, f"{some}{labels.count(len(frame))} {of}", "")
    return shown[chosen]


def _filtered(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Ask for words, and keep the rows that hold all of them, in any column."""
    parameter = f"filter-{name}"
    said = st.text_input(
        "Filter rows",
        st.query_params.get(parameter, ""),
        key=parameter,
        placeholder="Filter rows by words, such as: CT chest",
        icon=":material/filter_alt:",
        label_visibility="collapsed",
        width=360,
    )
    if said:
        st.query_params[parameter] = said
    elif parameter in st.query_params:
        del st.query_params[parameter]
    return keep_rows(frame, said or "")


def keep_rows(frame: pl.DataFrame, words: str) -> pl.DataFrame:
    """Return the rows that hold every one of ``words`` in some column, whatever the case of letters."""
    texts = [
        (pl.col(column).list.join(" ") if kind == pl.List(pl.String) else pl.col(column).cast(pl.String)).fill_null("")
        for column, kind in frame.schema.items()
    ]
    anywhere = pl.concat_str(texts, separator=" ").str.to_lowercase()
    for word in words.lower().split():
        frame = frame.filter(anywhere.str.contains(word, literal=True))
    return frame


def _formats(frame: pl.DataFrame) -> dict[str, Any]:
    formats: dict[str, Any] = {}
    for column, kind in frame.schema.items():
        heading = labels.column(column)
        if column in _SHARES or column.startswith("p_"):
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

    def as_csv() -> str:
        return data.with_columns(pl.col(pl.List(pl.String)).list.join("; ")).write_csv()

    line.download_button(
        "CSV",
        data=as_csv,
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        type="tertiary",
        width="content",
        on_click="ignore",
    )
