"""Accuracy by dataset."""

import plotly.graph_objects as go
import polars as pl

from dashboard.charts.frame import finished, short, whiskers
from dashboard.charts.palette import FIRST, OTHER, PUBLISHED


def per_dataset_dots(table: pl.DataFrame, names: tuple[str, str | None], most: int = 15) -> go.Figure:
    """Accuracy per dataset and class with intervals, worst first; hollow marks are the model compared with."""
    shown = table.head(most)
    rows = [f"{short(row['dataset'])} · {row['modality']}" for row in shown.iter_rows(named=True)]
    figure = go.Figure()
    figure.add_scatter(
        x=100 * shown["accuracy"].to_numpy(),
        y=rows,
        mode="markers",
        name=names[0],
        marker={"size": 10, "color": FIRST},
        error_x=whiskers(shown["accuracy"].to_numpy(), shown["ci_low"], shown["ci_high"]),
        customdata=shown["images"].to_list(),
        hovertemplate="%{y}<br>%{x:.1f} % of %{customdata:,} images<extra>%{fullData.name}</extra>",
    )
    for column, name, symbol, colour in (
        ("accuracy_other", names[1], "square-open", OTHER),
        ("published", "published", "diamond-open", PUBLISHED),
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
    return finished(figure, rows=len(rows))
