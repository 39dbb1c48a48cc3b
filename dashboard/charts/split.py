"""How classes and body parts lie over the splits."""

import numpy as np
import plotly.graph_objects as go
import polars as pl

from dashboard import labels
from dashboard.charts.frame import finished
from dashboard.charts.palette import SPLIT_COLOURS, SPLIT_PATTERNS
from modality_assets.modality import CLASSES, SPLITS


def split_images(cells: pl.DataFrame) -> go.Figure:
    """Images of each class in each split on a logarithmic scale; columns modality, split, images, share."""
    figure = go.Figure()
    _add_split_bars(figure, cells, [labels.CLASS_NAMES[name] for name in CLASSES], "images", "%{x}: %{y:,} images")
    figure.update_traces(texttemplate="%{y:,}", textposition="outside", cliponaxis=False)
    figure.update_layout(barmode="group", yaxis_title="images, logarithmic")
    figure.update_yaxes(type="log", dtick=1)
    return finished(figure, height=360)


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
    return finished(figure, height=360)


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
                "pattern": {"shape": SPLIT_PATTERNS[split]},
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
    return finished(figure, rows=len(parts), head=44)


def split_beside(table: pl.DataFrame) -> go.Figure:
    """Datasets by our split (rows) and the published one (columns); columns split, published_split."""
    counted = {(a, b): n for a, b, n in table.group_by("split", "published_split").len().iter_rows()}
    numbers = [[counted.get((ours, theirs), 0) for theirs in SPLITS] for ours in SPLITS]
    figure = go.Figure(
        go.Heatmap(
            z=numbers,
            x=[f"published {split}" for split in SPLITS],
            y=[f"our {split}" for split in SPLITS],
            text=[[str(number or "–") for number in row] for row in numbers],
            texttemplate="%{text}",
            textfont={"size": 15},
            colorscale="Cividis",
            showscale=False,
            xgap=3,
            ygap=3,
            hovertemplate="%{y}, %{x}: %{z} datasets<extra></extra>",
        )
    )
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return finished(figure, height=220, head=26)
