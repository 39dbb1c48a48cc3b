"""Confusion matrices as tables and in words."""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from dashboard import labels
from modality_assets.modality import CLASSES

Matrix = Sequence[Sequence[int]]


def confusion_table(matrix: Matrix) -> pl.DataFrame:
    """Return a row per actual class, a column per predicted one."""
    rows = [[name, *row] for name, row in zip(CLASSES, matrix, strict=True)]
    return pl.DataFrame(rows, schema=["actual", *CLASSES], orient="row")


def of_dataset(groups: Iterable[dict[str, Any]], dataset: str, modality: str | None = None) -> list[list[int]]:
    """Return the confusion matrix of one dataset, or of one class of it, from the groups of a report."""
    total = [[0] * len(CLASSES) for _ in CLASSES]
    for group in groups:
        if group["dataset"] == dataset and modality in (None, group["actual"]):
            total = [[a + b for a, b in zip(*two, strict=True)] for two in zip(total, group["confusion"], strict=True)]
    return total


def most_confused(matrix: Matrix) -> str:
    """Return the most frequent confusion, by the share of its class, in a sentence."""
    shares: list[tuple[float, str, str]] = []
    for actual, row in zip(CLASSES, matrix, strict=True):
        total = sum(row)
        others = [(n / total, actual, name) for name, n in zip(CLASSES, row, strict=True) if name != actual and total]
        shares += others
    share, actual, predicted = max(shares, default=(0.0, "", ""))
    if not share:
        return "No image is confused"
    return f"{actual} is confused most: {labels.percent(share, 0)} of it is taken for {predicted}"


def confused_in_words(matrix: Matrix) -> list[str]:
    """Return a sentence for each class: what share is right, and for what the rest is taken."""
    said = []
    for name, row in zip(CLASSES, matrix, strict=True):
        total = sum(row)
        if not total:
            said.append(f"**{name}**: no images")
            continue
        right = row[CLASSES.index(name)]
        others = sorted(
            ((n, other) for n, other in zip(row, CLASSES, strict=True) if other != name and n), reverse=True
        )
        taken = ", ".join(
            f"{labels.percent(n / total, 0 if n / total >= 0.01 else 1)} for {other}" for n, other in others
        )
        said.append(
            f"**{name}**: {labels.percent(right / total)} right"
            + (f"; taken {taken}" if taken else "")
            + f" (n = {labels.count(total)})"
        )
    return said
