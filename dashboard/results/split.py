"""The split plan: which dataset is where, and beside it the published split."""

from typing import Any

import polars as pl

from dashboard.results.archive import ArchiveResults
from dashboard.results.kept import Source, json_of, required, table_of
from dashboard.results.published import published_split


class SplitResults:
    """What the split plan holds."""

    def __init__(self, archive: ArchiveResults) -> None:
        self.archive, self.layout = archive, archive.layout

    def plan(self) -> tuple[pl.DataFrame, dict[str, Any], Source]:
        """The current plan: its table, its record, its source."""
        _, source = required(self.layout.split(), "split_plan")
        return table_of(self.layout.split_table()), json_of(self.layout.split_record()), source

    def images(self) -> pl.DataFrame:
        """Planned images by dataset, split, modality and body part."""
        table, _, _ = self.plan()
        return self.archive.cohort_images().join(table.select("dataset", "split"), on="dataset", how="inner")

    def beside_published(self) -> pl.DataFrame:
        """Return dataset, split, published_split of the datasets that are in both."""
        table, _, _ = self.plan()
        published = published_split(self.archive.collections()).unique("dataset")
        return table.select("dataset", "split").join(published, on="dataset", how="inner").sort("dataset")
