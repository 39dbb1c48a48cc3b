"""What the last refresh brought and did, as its record says; or, before there was one, what the catalogue tells."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from dashboard.results.archive import ArchiveResults
from dashboard.results.kept import json_of, stamp, table_of
from modality_assets.layout import DataLayout


@dataclass(frozen=True)
class Change:
    """What lies between two states of the archive. ``datasets`` has dataset, change, split, series, images.

    ``recorded`` says whether a refresh was recorded; without one, the newest release of the catalogue is set against
    those before it, and ``earlier`` is the one before (None where all came with one release).
    """

    recorded: bool
    release: str | None
    earlier: str | None
    datasets: pl.DataFrame
    state: str = "done"
    finished_utc: str | None = None
    work: pl.DataFrame = field(default_factory=pl.DataFrame)
    splits: pl.DataFrame = field(default_factory=pl.DataFrame)
    models: pl.DataFrame = field(default_factory=pl.DataFrame)
    counts: dict[str, int] = field(default_factory=dict)

    def named(self, change: str) -> list[str]:
        """The datasets of one kind of change: 'new', 'revised', 'withdrawn', 'dropped', 'unchanged'."""
        found: list[str] = self.datasets.filter(pl.col("change") == change)["dataset"].sort().to_list()
        return found


_SCHEMA: dict[str, Any] = {
    "dataset": pl.String,
    "change": pl.String,
    "split": pl.String,
    "series": pl.Int64,
    "images": pl.Int64,
}


class ChangeResults:
    """Records of refreshes and promotions."""

    def __init__(self, archive: ArchiveResults) -> None:
        self.archive, self.layout = archive, archive.layout

    def last(self) -> Change:
        """The last refresh; raises `NotMaterialisedError` where there is not even a catalogue."""
        records = self.layout.refresh_records
        return _recorded(json_of(records[-1])) if records else self._newest_release()

    def set_aside(self) -> dict[str, dict[str, Any]]:
        """The datasets that failed at every attempt and are left out for now, by name."""
        return json_of(self.layout.set_aside) if stamp(self.layout.set_aside)[1] else {}

    def promotions(self) -> list[tuple[dict[str, Any], pl.DataFrame]]:
        """Every decision on a newly trained model, with what changes on each dataset; the newest first."""
        return promotions(self.layout)

    def _newest_release(self) -> Change:
        collections = self.archive.collections().filter(~pl.col("retired"))
        images = pl.sum_horizontal("images_ct", "images_mr", "images_pt", "images_xr")
        rows = collections.select(
            "dataset",
            "series",
            images=images.cast(pl.Int64),
            first=pl.col("first_release").str.slice(0, 10),
            revised=pl.col("revised_release").str.slice(0, 10),
        )
        releases = sorted(set(rows["first"].drop_nulls()))
        newest = releases[-1] if releases else None
        latest = pl.lit(newest, pl.String)  # null where no release is known: then nothing is new
        change = (
            pl.when(pl.col("first") == latest)
            .then(pl.lit("new"))
            .when(pl.col("revised") >= latest)
            .then(pl.lit("revised"))
            .otherwise(pl.lit("unchanged"))
        )
        table = rows.with_columns(change=change, split=pl.lit(None, pl.String)).select(
            pl.col(name).cast(kind) for name, kind in _SCHEMA.items()
        )
        return Change(False, newest, releases[-2] if len(releases) > 1 else None, table)


def promotions(layout: DataLayout) -> list[tuple[dict[str, Any], pl.DataFrame]]:
    """Return promotion.json and change_per_dataset.parquet of every version on disk, the newest decision first."""
    found = []
    for folder in layout.version_folders:
        decision, table = folder / "promotion.json", folder / "change_per_dataset.parquet"
        _, written = stamp(decision)
        if written and stamp(table)[1]:
            decided = datetime.fromtimestamp(written / 1e9, UTC).isoformat(timespec="seconds")
            names = {"architecture": folder.parts[-3], "rescaling": folder.parts[-2], "decided_utc": decided}
            about = names | json_of(decision)
            found.append((written, about, table_of(table)))
    return [(about, table) for _, about, table in sorted(found, key=lambda one: -one[0])]


def _recorded(record: dict[str, Any]) -> Change:
    before = record["from_release"]
    rows = [{name: row.get(name) for name in _SCHEMA} for row in record["datasets"]]
    return Change(
        recorded=True,
        release=_short(record["to_release"]["name"]),
        earlier=None if before is None else _short(before["name"]),
        datasets=pl.DataFrame(rows, schema=_SCHEMA),
        state=record["state"],
        finished_utc=record["finished_utc"],
        work=pl.DataFrame(record["work"], infer_schema_length=None),
        splits=pl.DataFrame(record["splits"], infer_schema_length=None),
        models=pl.DataFrame(record["models"], infer_schema_length=None),
        counts=record["counts"],
    )


def _short(name: str | None) -> str | None:
    return None if name is None else name[:10]
