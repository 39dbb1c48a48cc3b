"""Every figure, as plotly figures: pure functions of tables, without Streamlit."""

from dashboard.charts.archive import bars_by_class, funnel, growth, images_per_class
from dashboard.charts.changes import change_per_dataset
from dashboard.charts.datasets import per_dataset_dots
from dashboard.charts.errors import confusion, probabilities, reliability
from dashboard.charts.models import accuracy_dots, cost_against_accuracy, curves, marks_in_words, probe_dots
from dashboard.charts.quality import plain_bars, speeds
from dashboard.charts.split import body_part_grid, split_beside, split_images, split_shares

__all__ = [
    "accuracy_dots",
    "bars_by_class",
    "body_part_grid",
    "change_per_dataset",
    "confusion",
    "cost_against_accuracy",
    "curves",
    "funnel",
    "growth",
    "images_per_class",
    "marks_in_words",
    "per_dataset_dots",
    "plain_bars",
    "probabilities",
    "probe_dots",
    "reliability",
    "speeds",
    "split_beside",
    "split_images",
    "split_shares",
]
