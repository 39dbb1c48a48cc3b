"""Models side by side: accuracy, training, cost."""

import itertools
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import polars as pl

from dashboard import labels
from dashboard.charts.frame import finished, whiskers
from dashboard.charts.palette import GREY, SERIES_COLOURS, SPLIT_COLOURS, SPLIT_SYMBOLS, SYMBOLS
from modality_assets.modality import SPLITS


def accuracy_dots(table: pl.DataFrame, measure: str, floors: Mapping[str, float] | None = None) -> go.Figure:
    """Accuracy per model: a row per ``label``, a mark per split, whiskers where there are intervals.

    Columns label, split, ``measure`` (share), ci_low, ci_high, published (bool: hollow marks). A label that stands
    several times, as with several seeds, has all its marks in its row, without whiskers. ``floors`` are shares by
    name: lines that a useful model lies to the right of.
    """
    table = table.filter(pl.col(measure).is_not_null())
    names = table["label"].unique(maintain_order=True).to_list()
    figure = go.Figure()
    for split in SPLITS:
        for published in (False, True):
            some = table.filter((pl.col("split") == split) & (pl.col("published") == published))
            if some.is_empty():
                continue
            values = some[measure].to_numpy()
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
                error_x=whiskers(values, some["ci_low"], some["ci_high"]) if _has_intervals(some, measure) else None,
                hovertemplate="%{y}<br>%{x:.1f} %<extra>%{fullData.name}</extra>",
            )
    _add_floors(figure, floors or {}, names)
    figure.update_xaxes(range=[0, 103], title=f"{labels.column(measure).lower()}, %")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1], title=None)
    figure.update_layout(scattermode="group", scattergap=0.35)
    return finished(figure, rows=len(names), row_pixels=34 if len(names) > 8 else 44, legend_below=True)


def marks_in_words(table: pl.DataFrame, measure: str) -> str:
    """Say what the marks of `accuracy_dots` stand for, and its whiskers and hollow marks where it has some."""
    table = table.filter(pl.col(measure).is_not_null())
    ours = table.filter(~pl.col("published"))
    words = ["% of images" if measure == "accuracy" else "mean of the four classes' shares, %"]
    if any(_has_intervals(some, measure) for some in ours.partition_by("split")):
        words.append("whiskers: 95 % intervals by bootstrap over datasets and patients")
    if len(ours) < len(table):
        words.append("hollow marks: published")
    if ours.select("label", "split").is_duplicated().any():
        words.append("a mark for each seed")
    return "; ".join(words)


def _has_intervals(rows: pl.DataFrame, measure: str) -> bool:
    """Whether rows of one split have whiskers: only accuracy has limits, and several seeds' hide one another."""
    return measure == "accuracy" and not rows["published"].any() and rows["label"].is_unique().all()


def _add_floors(figure: go.Figure, floors: Mapping[str, float], names: Sequence[str]) -> None:
    for (name, share), dash in zip(floors.items(), ("dash", "dot", "dashdot", "longdash"), strict=False):
        figure.add_scatter(
            x=[100 * share] * len(names),
            y=[*names],
            mode="lines",
            name=name,
            showlegend=False,  # a long entry would leave the legend one column
            line={"dash": dash, "width": 1.5, "color": GREY},
            hovertemplate=f"{name}: {labels.percent(share)}<extra></extra>",
        )


def curves(histories: dict[str, pl.DataFrame], column: str) -> go.Figure:
    """``train_<column>`` (dotted) and ``validate_<column>`` (solid) by epoch, a colour and a symbol per model."""
    figure = go.Figure()
    times = 100 if column == "accuracy" else 1
    for number, (name, history) in enumerate(histories.items()):
        for part, dash in (("validate", "solid"), ("train", "dot")):
            figure.add_scatter(
                x=history["epoch"].to_list(),
                y=(times * history[f"{part}_{column}"]).to_list(),
                name=name,
                legendgroup=name,
                showlegend=part == "validate",
                mode="lines+markers",
                line={"color": SERIES_COLOURS[number % len(SERIES_COLOURS)], "dash": dash},
                marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 7 if part == "validate" else 4},
                customdata=[part] * len(history),
                hovertemplate="%{customdata}, epoch %{x}: %{y:.3g}<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(title="epoch", dtick=1 if all(len(one) <= 20 for one in histories.values()) else None)
    figure.update_yaxes(title="accuracy, %" if column == "accuracy" else column, rangemode="tozero")
    figure.update_layout(showlegend=True)
    return finished(figure, height=430, legend_below=True)


def cost_against_accuracy(table: pl.DataFrame, cost: str) -> go.Figure:
    """Test accuracy against ``cost``: colour is the rescaling, symbol the architecture.

    Columns architecture, rescaling, accuracy (share), ``cost``.
    """
    architectures = table["architecture"].unique().sort().to_list()
    rescalings = table["rescaling"].unique().sort(descending=True).to_list()
    symbols = dict(zip(architectures, itertools.cycle(SYMBOLS), strict=False))
    colours = dict(zip(rescalings, itertools.cycle(SERIES_COLOURS), strict=False))
    figure = go.Figure()
    for rescaling in rescalings:
        some = table.filter(pl.col("rescaling") == rescaling)
        figure.add_scatter(
            x=some[cost].to_list(),
            y=(100 * some["accuracy"]).to_list(),
            showlegend=False,
            name=labels.rescaling(rescaling),
            text=[labels.architecture(one) for one in some["architecture"]],
            mode="markers",
            marker={"size": 13, "color": colours[rescaling], "symbol": [symbols[one] for one in some["architecture"]]},
            hovertemplate="%{text}, %{fullData.name}<br>%{x:.3g}, %{y:.1f} %<extra></extra>",
        )
    keys = [(labels.rescaling(one), colours[one], "circle") for one in rescalings]
    keys += [(labels.architecture(one), GREY, symbols[one]) for one in architectures]
    for name, colour, symbol in keys:
        marker = {"size": 11, "color": colour, "symbol": symbol}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
    figure.update_xaxes(title=labels.column(cost), rangemode="tozero")
    figure.update_yaxes(title="test accuracy, %", range=[0, 103])
    return finished(figure, height=430, legend_below=True)


def probe_dots(table: pl.DataFrame, words: Mapping[str, str]) -> go.Figure:
    """How often the dataset is named, a row per ``label``, a mark per column of ``words`` (shares)."""
    names = table["label"].unique(maintain_order=True).to_list()
    figure = go.Figure()
    for number, (column, said) in enumerate(words.items()):
        some = table.drop_nulls(column)
        figure.add_scatter(
            x=(100 * some[column]).to_list(),
            y=some["label"].to_list(),
            mode="markers",
            name=said,
            marker={
                "symbol": SYMBOLS[number] + ("-open" if number else ""),
                "size": 11,
                "color": SERIES_COLOURS[0] if number == 0 else GREY,
                "line": {"width": 2 if number else 0},
            },
            hovertemplate="%{y}<br>%{x:.1f} %<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(range=[-2, 103], title="images whose dataset is named, %")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1], title=None)
    return finished(figure, rows=len(names), row_pixels=34, legend_below=True)
