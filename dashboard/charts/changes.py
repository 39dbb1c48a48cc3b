"""What a newly trained model changes."""

import plotly.graph_objects as go
import polars as pl

from dashboard.charts.frame import finished, short
from dashboard.charts.palette import FIRST, GREY


def change_per_dataset(table: pl.DataFrame, most: int = 30) -> go.Figure:
    """Accuracy of the model before (hollow) and after (filled), the largest changes first.

    Columns dataset, modality, accuracy_before, accuracy_after (shares), difference, images.
    """
    shown = table.drop_nulls("difference").sort(pl.col("difference").abs(), descending=True).head(most)
    rows = [f"{short(dataset)} · {modality}" for dataset, modality in shown.select("dataset", "modality").rows()]
    before, after = 100 * shown["accuracy_before"].to_numpy(), 100 * shown["accuracy_after"].to_numpy()
    figure = go.Figure()
    gaps = [value for pair in zip(before, after, strict=True) for value in (*pair, None)]
    places = [row for row in rows for _ in range(3)]
    figure.add_scatter(
        x=gaps, y=places, mode="lines", line={"color": GREY, "width": 2}, hoverinfo="skip", showlegend=False
    )
    for values, name, symbol in ((before, "model before", "circle-open"), (after, "model now", "circle")):
        figure.add_scatter(
            x=values,
            y=rows,
            mode="markers",
            name=name,
            marker={
                "symbol": symbol,
                "size": 11,
                "color": FIRST if name == "model now" else GREY,
                "line": {"width": 2},
            },
            customdata=shown["images"].to_list(),
            hovertemplate="%{y}<br>%{x:.1f} % of %{customdata:,} images<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(range=[-3, 103], title="accuracy, % of images")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows[::-1], title=None)
    return finished(figure, rows=len(rows))
