"""Every figure, as plotly figures: pure functions of tables, without Streamlit.

Colours are those of Okabe and Ito (2008), which colour-blind people tell apart (the blue lightened for dark pages);
where colour carries meaning, a pattern, a symbol or a number says the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from dashboard import labels
from modality_assets.modality import CLASSES, SPLITS

CLASS_COLOURS = {"CT": "#1F83C9", "MR": "#E69F00", "PT": "#009E73", "XR": "#CC79A7"}
CLASS_PATTERNS = {"CT": "", "MR": "/", "PT": ".", "XR": "x"}
SPLIT_COLOURS = {"train": "#56B4E9", "validate": "#E69F00", "test": "#009E73"}
SPLIT_SYMBOLS = {"train": "circle", "validate": "diamond", "test": "square"}
SERIES_COLOURS = ("#1F83C9", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
GREY = "#8A8F98"
_ROW_PIXELS = 26
_MOST_LETTERS = 34


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
            y=[_short(name) for name in names],
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
    return _finished(figure, rows=len(names))


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
    return _finished(figure, height=340)


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
    figure.update_yaxes(rangemode="tozero")
    return _finished(figure, height=360)


def funnel(steps: Sequence[tuple[str, int]]) -> go.Figure:
    """What is left after each reason for leaving out."""
    figure = go.Figure(
        go.Funnel(
            y=[_wrapped(name) for name, _ in steps],
            x=[number for _, number in steps],
            text=[labels.count(number) for _, number in steps],
            textinfo="text",
            textfont={"size": 13},
            marker={"color": [CLASS_COLOURS["CT"], *[GREY] * (len(steps) - 2), CLASS_COLOURS["PT"]][: len(steps)]},
            hovertemplate="%{y}<br>%{x:,} series<extra></extra>",
        )
    )
    figure.update_layout(showlegend=False)
    return _finished(figure, height=max(220, 70 * len(steps)))


def split_images(cells: pl.DataFrame) -> go.Figure:
    """Images of each class in each split on a logarithmic scale; columns modality, split, images, share."""
    figure = go.Figure()
    _add_split_bars(figure, cells, [labels.CLASS_NAMES[name] for name in CLASSES], "images", "%{x}: %{y:,} images")
    figure.update_traces(texttemplate="%{y:,}", textposition="outside", cliponaxis=False)
    figure.update_layout(barmode="group", yaxis_title="images, logarithmic")
    figure.update_yaxes(type="log", dtick=1)
    return _finished(figure, height=360)


def split_shares(cells: pl.DataFrame, asked: dict[str, float]) -> go.Figure:
    """Share of each class's images in each split, with a line at the share asked for."""
    figure = go.Figure()
    percent = cells.with_columns(percent=100 * pl.col("share"))
    places = [labels.CLASS_NAMES[name] for name in CLASSES]
    _add_split_bars(figure, percent, places, "percent", "%{x}: %{y:.1f} %")
    for split in SPLITS:
        if split in asked:
            figure.add_hline(y=100 * asked[split], line={"dash": "dot", "width": 1.5, "color": SPLIT_COLOURS[split]})
    figure.update_layout(barmode="group", yaxis_title="share of the class's images, %")
    figure.update_yaxes(rangemode="tozero")
    return _finished(figure, height=360)


def _add_split_bars(figure: go.Figure, cells: pl.DataFrame, places: list[str], column: str, hover: str) -> None:
    """Add a bar per class and split; a class that a split lacks has none."""
    for split in SPLITS:
        some = {row["modality"]: row[column] for row in cells.filter(pl.col("split") == split).iter_rows(named=True)}
        figure.add_bar(
            x=places,
            y=[some.get(name) for name in CLASSES],
            name=split,
            marker={
                "color": SPLIT_COLOURS[split],
                "pattern": {"shape": {"train": "", "validate": "/", "test": "."}[split]},
            },
            hovertemplate=f"{hover}<extra>%{{fullData.name}}</extra>",
        )


def body_part_grid(table: pl.DataFrame) -> go.Figure:
    """Images by body part (rows) and class × split (columns); columns body_part, modality, split, images."""
    counted = table.group_by("body_part", "modality", "split").agg(pl.col("images").sum())
    totals = counted.group_by("body_part").agg(pl.col("images").sum()).sort("images", "body_part")
    parts = totals["body_part"].to_list()[-30:]
    columns = [(modality, split) for modality in CLASSES for split in SPLITS]
    found = {(row[0], row[1], row[2]): row[3] for row in counted.iter_rows()}
    numbers = np.array([[found.get((part, *column), 0) for column in columns] for part in parts], dtype=float)
    figure = go.Figure(
        go.Heatmap(
            z=np.log10(np.where(numbers > 0, numbers, np.nan)),
            x=[[labels.CLASS_NAMES[modality] for modality, _ in columns], [split for _, split in columns]],
            y=parts,
            text=[[labels.count(number) if number else "" for number in row] for row in numbers],
            customdata=numbers,
            texttemplate="%{text}",
            colorscale="Cividis",
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y}, %{x}: %{customdata:,} images<extra></extra>",
        )
    )
    figure.update_xaxes(side="top", tickfont={"size": 11})
    figure.update_yaxes(showgrid=False)
    return _finished(figure, rows=len(parts), head=110)


def accuracy_dots(table: pl.DataFrame, measure: str) -> go.Figure:
    """Accuracy per model: a row per ``label``, a mark per split, whiskers where there are intervals.

    Columns label, split, ``measure`` (share), ci_low, ci_high, published (bool: hollow marks).
    """
    table = table.filter(pl.col(measure).is_not_null())
    names = table["label"].unique(maintain_order=True).to_list()
    figure = go.Figure()
    with_whiskers = measure == "accuracy"
    for split in SPLITS:
        for published in (False, True):
            some = table.filter((pl.col("split") == split) & (pl.col("published") == published))
            if some.is_empty():
                continue
            values = some[measure].to_numpy()
            whiskers = with_whiskers and not published
            figure.add_scatter(
                x=100 * values,
                y=some["label"].to_list(),
                orientation="h",
                offsetgroup=split,
                mode="markers",
                name=f"{split}, published" if published else split,
                marker={
                    "symbol": SPLIT_SYMBOLS[split] + ("-open" if published else ""),
                    "size": 11,
                    "color": SPLIT_COLOURS[split],
                    "line": {"width": 2 if published else 0},
                },
                error_x=_whiskers(values, some["ci_low"], some["ci_high"]) if whiskers else None,
                hovertemplate="%{y}<br>%{x:.1f} %<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(range=[0, 103], title=f"{labels.column(measure).lower()}, %")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1], title=None)
    figure.update_layout(scattermode="group", scattergap=0.35)
    return _finished(figure, rows=len(names), row_pixels=46)


def per_dataset_dots(table: pl.DataFrame, names: tuple[str, str | None], most: int = 40) -> go.Figure:
    """Accuracy per dataset and class with intervals, worst first; hollow marks are the model compared with."""
    shown = table.head(most)
    rows = [f"{_short(row['dataset'])} · {row['modality']}" for row in shown.iter_rows(named=True)]
    figure = go.Figure()
    figure.add_scatter(
        x=100 * shown["accuracy"].to_numpy(),
        y=rows,
        mode="markers",
        name=names[0],
        marker={"size": 10, "color": CLASS_COLOURS["CT"]},
        error_x=_whiskers(shown["accuracy"].to_numpy(), shown["ci_low"], shown["ci_high"]),
        customdata=shown["images"].to_list(),
        hovertemplate="%{y}<br>%{x:.1f} % of %{customdata:,} images<extra>%{fullData.name}</extra>",
    )
    for column, name, symbol, colour in (
        ("accuracy_other", names[1], "square-open", "#D55E00"),
        ("published", "published", "diamond-open", "#009E73"),
    ):
        if column in shown.columns and shown[column].is_not_null().any():
            some = shown.with_columns(row=pl.Series(rows)).filter(pl.col(column).is_not_null())
            figure.add_scatter(
                x=100 * some[column].to_numpy(),
                y=some["row"].to_list(),
                mode="markers",
                name=name,
                marker={"size": 10, "symbol": symbol, "color": colour, "line": {"width": 2}},
                hovertemplate="%{y}<br>%{x:.1f} %<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(range=[-2, 103], title="accuracy, % of images")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows[::-1], title=None)
    figure.update_layout(showlegend=len(figure.data) > 1)
    return _finished(figure, rows=len(rows))


def confusion(matrix: Sequence[Sequence[int]], *, compact: bool = False) -> go.Figure:
    """Rows are the actual class, columns the predicted one; colour is the share of the row, text the count."""
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    text = [
        [f"{labels.count(n)}<br>{100 * s:.1f} %" if total else "–" for n, s in zip(row, part, strict=True)]
        for row, part, (total,) in zip(counts, shares, totals, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=100 * shares,
            x=list(CLASSES),
            y=list(CLASSES),
            text=text,
            texttemplate="%{text}",
            textfont={"size": 13},
            colorscale="Cividis",
            zmin=0,
            zmax=100,
            xgap=3,
            ygap=3,
            colorbar={"title": {"text": "% of the<br>actual class"}, "thickness": 14},
            showscale=not compact,
            hovertemplate="actual %{y}, predicted %{x}<br>%{z:.1f} % of the row<extra></extra>",
        )
    )
    figure.update_xaxes(title="predicted class (columns)", side="bottom", showgrid=False)
    figure.update_yaxes(title="actual class (rows)", autorange="reversed", showgrid=False)
    return _finished(figure, height=380 if compact else 460)


def curves(histories: dict[str, pl.DataFrame], column: str) -> go.Figure:
    """``train_<column>`` (dotted) and ``validate_<column>`` (solid) by epoch, a colour per model."""
    figure = go.Figure()
    for number, (name, history) in enumerate(histories.items()):
        for part, dash in (("train", "dot"), ("validate", "solid")):
            figure.add_scatter(
                x=history["epoch"].to_list(),
                y=history[f"{part}_{column}"].to_list(),
                name=f"{name}, {part}",
                mode="lines+markers",
                line={"color": SERIES_COLOURS[number % len(SERIES_COLOURS)], "dash": dash},
                marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 7},
                hovertemplate="epoch %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(title="epoch", dtick=1 if all(len(one) <= 20 for one in histories.values()) else None)
    figure.update_yaxes(title=column if column != "accuracy" else "accuracy, share of images", rangemode="tozero")
    return _finished(figure, height=430, legend_below=True)


def cost_against_accuracy(table: pl.DataFrame, cost: str) -> go.Figure:
    """Test accuracy against ``cost``; columns label, accuracy, ``cost``."""
    figure = go.Figure()
    for number, row in enumerate(table.iter_rows(named=True)):
        figure.add_scatter(
            x=[row[cost]],
            y=[100 * row["accuracy"]],
            name=row["label"],
            mode="markers",
            marker={
                "size": 13,
                "color": SERIES_COLOURS[number % len(SERIES_COLOURS)],
                "symbol": SYMBOLS[number % len(SYMBOLS)],
            },
            hovertemplate="%{fullData.name}<br>%{x:.3g}, %{y:.1f} %<extra></extra>",
        )
    figure.update_xaxes(title=labels.column(cost), rangemode="tozero")
    figure.update_yaxes(title="test accuracy, %", range=[0, 103])
    return _finished(figure, height=430, legend_below=True)


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
    return _finished(figure, height=460, legend_below=True)


def plain_bars(names: Sequence[str], values: Sequence[float], *, unit: str) -> go.Figure:
    """Horizontal bars in the order given, with their values."""
    figure = go.Figure(
        go.Bar(
            y=[_wrapped(name) for name in names],
            x=list(values),
            orientation="h",
            text=[labels.count(value) if value >= 100 or value == int(value) else f"{value:.2g}" for value in values],
            textposition="outside",
            cliponaxis=False,
            marker={"color": CLASS_COLOURS["CT"]},
            hovertemplate=f"%{{y}}<br>%{{x:,.3g}} {unit}<extra></extra>",
        )
    )
    figure.update_layout(showlegend=False, xaxis_title=unit)
    figure.update_xaxes(rangemode="tozero", range=[0, 1.15 * max([*values, 1e-9])])
    figure.update_yaxes(autorange="reversed")
    return _finished(figure, rows=len(names), row_pixels=40)


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
    return _finished(figure, height=240)


def _whiskers(values: np.ndarray, low: pl.Series, high: pl.Series) -> dict[str, Any]:
    lows, highs = low.cast(pl.Float64).to_numpy(), high.cast(pl.Float64).to_numpy()
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(np.maximum(100 * (highs - values), 0)),
        "arrayminus": np.nan_to_num(np.maximum(100 * (values - lows), 0)),
        "thickness": 1.2,
        "width": 4,
    }


def _finished(
    figure: go.Figure,
    *,
    rows: int | None = None,
    row_pixels: int = _ROW_PIXELS,
    height: int | None = None,
    head: int = 0,
    legend_below: bool = False,
) -> go.Figure:
    tall = height if height is not None else 130 + head + row_pixels * max(rows or 0, 2)
    legend: dict[str, Any] = {
        "orientation": "h",
        "yanchor": "bottom",
        "y": 1.02,
        "xanchor": "left",
        "x": 0,
        "traceorder": "normal",
    }
    if legend_below:
        legend = {"orientation": "h", "yanchor": "top", "y": -0.22, "xanchor": "left", "x": 0}
    if rows is not None and not head:
        legend["y"] = 1 + 6 / tall
    figure.update_layout(height=tall, margin={"l": 10, "r": 24, "t": 44 + head // 2, "b": 10}, legend=legend)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def _wrapped(text: str, width: int = 36) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines[:3]) + ("…" if len(lines) > 3 else "")
