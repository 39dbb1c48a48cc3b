"""How classes are confused, and what confidence is worth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard import labels
from dashboard.charts.frame import finished
from dashboard.charts.palette import CLASS_COLOURS, CLASS_PATTERNS, GREY
from modality_assets.modality import CLASSES


def confusion(matrix: Sequence[Sequence[int]], *, compact: bool = False) -> go.Figure:
    """Rows are the actual class, columns the predicted one; colour is the share of the row, text the count."""
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    text = [
        [f"{labels.count(n)}<br>{_percent(s)}" if total else "–" for n, s in zip(row, part, strict=True)]
        for row, part, (total,) in zip(counts, shares, totals, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=100 * shares,
            x=list(CLASSES),
            y=list(CLASSES),
            text=text,
            texttemplate="%{text}",
            textfont={"size": 12},
            colorscale="Cividis",
            zmin=0,
            zmax=100,
            xgap=3,
            ygap=3,
            showscale=False,
            hovertemplate="actual %{y}, predicted %{x}<br>%{z:.1f} % of the row<extra></extra>",
        )
    )
    figure.update_xaxes(title="predicted class (columns)", side="bottom", showgrid=False)
    figure.update_yaxes(title="actual class (rows)", autorange="reversed", showgrid=False)
    return finished(figure, height=380 if compact else 460)


def _percent(share: float) -> str:
    return "100 %" if share == 1 else "0 %" if share == 0 else labels.percent(share)


def reliability(bins: Sequence[dict[str, Any]]) -> go.Figure:
    """Accuracy against confidence; on the diagonal confidence means what it says."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="perfectly calibrated", line={"dash": "dot", "color": GREY}
    )
    images = np.array([one["images"] for one in bins], dtype=float)
    figure.add_scatter(
        x=[100 * one["confidence"] for one in bins],
        y=[100 * one["accuracy"] for one in bins],
        mode="markers+lines",
        name="this model",
        customdata=images,
        line={"color": CLASS_COLOURS["CT"], "width": 1},
        marker={"size": 7 + 20 * np.sqrt(images / images.max()) if len(images) else 7, "color": CLASS_COLOURS["CT"]},
        hovertemplate="confidence %{x:.0f} %, accuracy %{y:.0f} % (%{customdata:,} images)<extra></extra>",
    )
    figure.update_xaxes(title="confidence, %", range=[0, 103])
    figure.update_yaxes(title="accuracy, %", range=[-3, 106])
    return finished(figure, height=460, legend_below=True)


def probabilities(by_class: dict[str, float]) -> go.Figure:
    """The probability of each class for one image or series."""
    figure = go.Figure(
        go.Bar(
            y=[labels.CLASS_NAMES[name] for name in CLASSES],
            x=[100 * by_class[name] for name in CLASSES],
            orientation="h",
            text=[f"{100 * by_class[name]:.1f} %" for name in CLASSES],
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": [CLASS_COLOURS[name] for name in CLASSES],
                "pattern": {"shape": [CLASS_PATTERNS[name] for name in CLASSES]},
            },
            hovertemplate="%{y}: %{x:.2f} %<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 118], tickvals=[0, 25, 50, 75, 100], title="probability, %")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(showlegend=False)
    return finished(figure, height=240)
