"""What every figure has in common: its size, its margins, its legend, and names that fit."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

ROW_PIXELS = 26
_MOST_LETTERS = 34
_LEGEND_ENTRIES_A_ROW = 3


def finished(
    figure: go.Figure,
    *,
    rows: int | None = None,
    row_pixels: int = ROW_PIXELS,
    height: int | None = None,
    head: int = 0,
    legend_below: bool = False,
) -> go.Figure:
    """Give a figure its height, from ``rows`` of ``row_pixels`` or as stated, and a legend that covers nothing."""
    named = sum(trace.name is not None and trace.showlegend is not False for trace in figure.data)
    has_legend = figure.layout.showlegend is not False and len(figure.data) > 1
    legend_head = 30 if has_legend and not legend_below else 0
    legend_foot = 20 * -(-named // _LEGEND_ENTRIES_A_ROW) if has_legend and legend_below else 0
    above = legend_head + 14
    tall = height if height is not None else 62 + above + head + legend_foot + row_pixels * max(rows or 0, 2)
    plot = max(tall - above - head - legend_foot - 50, 50)
    legend: dict[str, Any] = {"orientation": "h", "xanchor": "left", "x": 0, "title": None, "traceorder": "normal"}
    legend |= {"yanchor": "top", "y": -52 / plot} if legend_below else {"yanchor": "bottom", "y": 1 + (8 + head) / plot}
    margin = {"l": 10, "r": 24, "t": above + head, "b": 10}
    figure.update_layout(height=tall, margin=margin, legend=legend)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def whiskers(values: np.ndarray, low: pl.Series, high: pl.Series) -> dict[str, Any]:
    """Return plotly's error bars in percent from shares and the ends of their intervals; none where these are null."""
    lows, highs = low.cast(pl.Float64).to_numpy(), high.cast(pl.Float64).to_numpy()
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(np.maximum(100 * (highs - values), 0)),
        "arrayminus": np.nan_to_num(np.maximum(100 * (values - lows), 0)),
        "thickness": 1.2,
        "width": 4,
    }


def short(name: str) -> str:
    """Return a name that fits beside an axis."""
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def wrapped(text: str, width: int = 36) -> str:
    """Return a text in up to three lines."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines[:3]) + ("…" if len(lines) > 3 else "")
