"""Whether a new model takes the place of the old one, and what the change means for each dataset."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.evaluation.report import PER_DATASET, read_metrics
from modality_assets.manifest import current, write_json

PROMOTION, CHANGE = "promotion.json", "change_per_dataset.parquet"
METRIC = "balanced accuracy on validate"
"""Test decides nothing: a figure that models are chosen by is no longer one of unseen data."""

_KEY = ["dataset", "modality", "split"]


@dataclass(frozen=True)
class Promotion:
    """The decision between two models, both judged on the same images; ``over`` is the old one's input hash.

    ``sentence`` says it in words.
    """

    before: float | None
    after: float | None
    margin: float
    promoted: bool
    over: str
    decided_utc: str
    metric: str = METRIC

    @property
    def sentence(self) -> str:
        verdict = "the new model replaces the old one" if self.promoted else "the old model is kept"
        return (
            f"{self.metric}: {_percent(self.before)} before, {_percent(self.after)} after, "
            f"margin {100 * self.margin:+.1f} points: {verdict}"
        )


def decide_promotion(old_report: Path, new_report: Path, *, margin: float, over: str) -> Promotion:
    """Compare two reports on the same shards: the new model must be better by ``margin``; at 0 a tie is enough.

    A model without a figure on validate never replaces one with a figure.
    """
    before, after = _figure(read_metrics(old_report)), _figure(read_metrics(new_report))
    promoted = after is not None and (before is None or after >= before + margin)
    return Promotion(before, after, margin, promoted, over, datetime.now(UTC).isoformat(timespec="seconds"))


def change_per_dataset(then: Path | None, old_report: Path, new_report: Path) -> pl.DataFrame:
    """Return dataset by dataset what the new model changes, the largest loss first.

    ``then`` is the old model's report on the shards before, None where it had none: its columns are null for
    datasets that came since. Columns: dataset, modality, split, images_then, accuracy_then, images,
    accuracy_before (the old model on today's images), accuracy_after, difference.
    """
    old, new = (pl.read_parquet(folder / PER_DATASET) for folder in (old_report, new_report))
    former = pl.read_parquet(then / PER_DATASET) if then is not None else old.clear()
    joined = (
        new.select(*_KEY, "images", accuracy_after="accuracy")
        .join(old.select(*_KEY, accuracy_before="accuracy"), on=_KEY, how="left")
        .join(former.select(*_KEY, images_then="images", accuracy_then="accuracy"), on=_KEY, how="full", coalesce=True)
        .with_columns(difference=pl.col("accuracy_after") - pl.col("accuracy_before"))
    )
    figures = ["images_then", "accuracy_then", "images", "accuracy_before", "accuracy_after", "difference"]
    return joined.select(*_KEY, *figures).sort("difference", *_KEY, nulls_last=True)


def write_promotion(staged: Path, promotion: Promotion, change: pl.DataFrame) -> None:
    """Write the decision, and what it changes per dataset, into the folder ``staged``."""
    change.write_parquet(staged / CHANGE)
    write_json(staged / PROMOTION, {**asdict(promotion), "sentence": promotion.sentence})


def read_promotion(folder: Path) -> Promotion | None:
    """Return the decision on the model in ``folder``, None where there is none."""
    try:
        found = json.loads(current(folder / PROMOTION).read_text())
    except (OSError, ValueError):
        return None
    return Promotion(**{name: value for name, value in found.items() if name != "sentence"})


def _figure(metrics: Mapping[str, Any]) -> float | None:
    found = metrics["evidence"][metrics["main_evidence"]].get("validate", {}).get("balanced_accuracy")
    return None if found is None else float(found)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"
