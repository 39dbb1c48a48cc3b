"""What the archive holds: images by class and by anything else, growth, what is left out."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import polars as pl

from dashboard import labels
from dashboard.charts.frame import finished, short, wrapped
from dashboard.charts.palette import CLASS_COLOURS, CLASS_PATTERNS, GREY, SYMBOLS
from modality_assets.modality import CLASSES


def bars_by_class(table: pl.DataFrame, column: str, *, unit: str = "images", most: int = 25) -> go.Figure:
    """Stacked horizontal bars: ``column`` (largest first), parts by ``modality``, lengths from ``images``."""
    totals = table.group_by(column).agg(pl.col("images").sum()).sort("images", column, descending=[True, False])
    names = totals[column].to_list()[:most]
    figure = go.Figure()
    for modality in (*CLASSES, None):
        some = table.filter(pl.col("modality").eq_missing(pl.lit(modality)))
        lengths = dict(some.select(column, "images").iter_rows())
        if not any(lengths.get(name) for name in names):
            continue
        figure.add_bar(
            y=[short(name) for name in names],
            x=[lengths.get(name, 0) for name in names],
            customdata=names,
            name=labels.CLASS_NAMES.get(modality or "", "no class"),
            orientation="h",
            marker={
                "color": CLASS_COLOURS.get(modality or "", GREY),
                "pattern": {"shape": CLASS_PATTERNS.get(modality or "", "")},
            },
            hovertemplate=f"%{{customdata}}<br>%{{x:,}} {unit}<extra>%{{fullData.name}}</extra>",
        )
    figure.update_layout(barmode="stack", xaxis_title=unit)
    figure.update_yaxes(autorange="reversed", title=None, type="category")
    return finished(figure, rows=len(names))


def images_per_class(images: dict[str, int]) -> go.Figure:
    """One bar per class on a logarithmic scale."""
    figure = go.Figure(
        go.Bar(
            x=[labels.CLASS_NAMES[name] for name in CLASSES],
            y=[images.get(name) or None for name in CLASSES],
            text=[labels.count(images.get(name, 0)) for name in CLASSES],
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": [CLASS_COLOURS[name] for name in CLASSES],
                "pattern": {"shape": [CLASS_PATTERNS[name] for name in CLASSES]},
            },
            hovertemplate="%{x}: %{y:,} images<extra></extra>",
        )
    )
    figure.update_layout(yaxis_title="images (log scale)", showlegend=False)
    # from one image on, so that lengths compare
    figure.update_yaxes(type="log", dtick=1, range=[0, np.log10(max([*images.values(), 10])) + 0.4])
    return finished(figure, height=340)


def growth(table: pl.DataFrame) -> go.Figure:
    """Cumulated kept images over releases, a line per class; columns ``release``, ``modality``, ``images``."""
    releases = sorted(table["release"].unique().to_list())
    figure = go.Figure()
    for modality, symbol in zip(CLASSES, SYMBOLS, strict=False):
        found = dict(table.filter(pl.col("modality") == modality).select("release", "images").iter_rows())
        figure.add_scatter(
            x=releases,
            y=np.cumsum([found.get(release, 0) for release in releases]),
            name=labels.CLASS_NAMES[modality],
            mode="lines+markers",
            line={"color": CLASS_COLOURS[modality], "shape": "hv"},
            marker={"symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:,} images<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(yaxis_title="images so far", xaxis_title="first release of the series")
    figure.update_xaxes(type="category")
    figure.update_yaxes(rangemode="tozero")
    return finished(figure, height=360)


def funnel(steps: Sequence[tuple[str, int]]) -> go.Figure:
    """What is left after each reason for leaving out."""
    figure = go.Figure(
        go.Funnel(
            y=[wrapped(name) for name, _ in steps],
            x=[number for _, number in steps],
            text=[labels.count(number) for _, number in steps],
            textinfo="text",
            textfont={"size": 13},
            marker={"color": [CLASS_COLOURS["CT"], *[GREY] * (len(steps) - 2), CLASS_COLOURS["PT"]][: len(steps)]},
            hovertemplate="%{y}<br>%{x:,} series<extra></extra>",
        )
    )
    figure.update_layout(showlegend=False)
    return finished(figure, height=max(220, 70 * len(steps)))
