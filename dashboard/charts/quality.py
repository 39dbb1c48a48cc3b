"""Counts and durations."""

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from dashboard import labels
from dashboard.charts.frame import finished, wrapped
from dashboard.charts.palette import FIRST, PUBLISHED


def plain_bars(names: Sequence[str], values: Sequence[float], *, unit: str) -> go.Figure:
    """Horizontal bars in the order given, with their values."""
    figure = go.Figure(
        go.Bar(
            y=[wrapped(name) for name in names],
            x=list(values),
            orientation="h",
            text=[labels.count(value) if value >= 100 or value == int(value) else f"{value:.2g}" for value in values],
            textposition="outside",
            cliponaxis=False,
            marker={"color": FIRST},
            hovertemplate=f"%{{y}}<br>%{{x:,.3g}} {unit}<extra></extra>",
        )
    )
    figure.update_layout(showlegend=False, xaxis_title=unit)
    figure.update_xaxes(rangemode="tozero", range=[0, 1.15 * max([*values, 1e-9])])
    figure.update_yaxes(autorange="reversed")
    return finished(figure, rows=len(names), row_pixels=40)


def speeds(table: pl.DataFrame) -> go.Figure:
    """Images per second of each stage (filled) beside those of others (hollow), on a logarithmic scale.

    Columns stage, images_per_second, what, hardware, ours (bool).
    """
    stages = table["stage"].unique(maintain_order=True).to_list()
    figure = go.Figure()
    for ours, name, symbol in ((True, "here", "circle"), (False, "elsewhere", "diamond-open")):
        some = table.filter(pl.col("ours") == ours)
        if some.is_empty():
            continue
        figure.add_scatter(
            x=some["images_per_second"].to_list(),
            y=some["stage"].to_list(),
            mode="markers",
            name=name,
            marker={
                "symbol": symbol,
                "size": 12,
                "color": FIRST if ours else PUBLISHED,
                "line": {"width": 0 if ours else 2},
            },
            customdata=some.select("what", "hardware").rows(),
            hovertemplate="%{x:,.0f} images/s<br>%{customdata[0]}<br>%{customdata[1]}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(type="log", title="images per second, logarithmic", dtick=1)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=stages[::-1], title=None)
    figure.update_layout(showlegend=True)
    return finished(figure, rows=len(stages), row_pixels=44)
