"""What one state of the archive brings over the one before, dataset by dataset."""

from collections.abc import Iterator

import polars as pl

from modality_assets.layout import DataLayout
from modality_assets.manifest import read_manifest
from modality_assets.planning import retired_datasets, source_result
from modality_assets.refresh.record import (
    Change,
    DatasetRow,
    Refresh,
    Release,
    latest_refresh,
    now_utc,
    write_refresh,
)
from modality_assets.results import required_manifest


def source_hashes(layout: DataLayout, cohort: pl.DataFrame) -> dict[str, str]:
    """Return dataset → the input hash of its source files, of every dataset of a cohort, sorted."""
    parts = cohort.partition_by("dataset", as_dict=True)
    return {str(name): source_result(layout, str(name), rows).input_hash for (name,), rows in sorted(parts.items())}


def current_refresh(layout: DataLayout) -> Refresh:
    """Return the record of the refresh that leads to the cohort on disk; open it where there is none yet.

    A refresh that was still going on is overtaken by the new one, which takes over what it left undone.
    Raises `MissingInputError` where there is no catalogue or cohort.
    """
    latest = latest_refresh(layout)
    cohort = required_manifest(layout.cohort, "cohort")
    if latest is not None and latest.cohort == cohort.content_hash:
        return latest
    catalogue = required_manifest(layout.catalogue, "collection_catalogue")
    opened = Refresh(
        number=1 if latest is None else latest.number + 1,
        archive=str(catalogue.counts["archive"]),
        from_release=None if latest is None else latest.to_release,
        to_release=Release(
            newest_release(pl.read_parquet(layout.collections_table)), str(catalogue.counts["archive_version"])
        ),
        cohort=cohort.content_hash,
        started_utc=now_utc(),
        datasets=tuple(_rows(layout, latest)),
        retired=tuple(retired_datasets(layout)),
    )
    if latest is not None and latest.state == "running":
        write_refresh(layout, latest.finished("overtaken"))
    write_refresh(layout, opened)
    return opened


def newest_release(collections: pl.DataFrame) -> str | None:
    """Return the newest release that any dataset names: the latest day, or the highest number."""
    named = pl.concat([collections["first_release"], collections["revised_release"]]).drop_nulls().to_list()
    return max((name[:10] for name in named), key=lambda name: (int(name) if name.isdigit() else 0, name), default=None)


def _rows(layout: DataLayout, latest: Refresh | None) -> Iterator[DatasetRow]:
    cohort = pl.read_parquet(layout.cohort_table)
    now = source_hashes(layout, cohort)
    before = _hashes_before(layout, latest)
    splits = dict(pl.read_parquet(layout.split_table()).select("dataset", "split").iter_rows())
    counted = cohort.group_by("dataset").agg(series=pl.len(), images=pl.col("planned_images").sum())
    facts = {row["dataset"]: row for row in counted.iter_rows(named=True)}
    for dataset in sorted({*now, *before}):
        if dataset in now:
            change: Change = "unchanged" if before.get(dataset) == now[dataset] else "revised"
            counts = facts[dataset]
            yield DatasetRow(
                dataset,
                change if dataset in before else "new",
                now[dataset],
                splits.get(dataset),
                counts["series"],
                counts["images"] or 0,
            )
    offered = set(pl.scan_parquet(layout.series_table).select("dataset").unique().collect()["dataset"])
    for dataset in sorted(set(before) - set(now)):
        yield DatasetRow(dataset, "dropped" if dataset in offered else "withdrawn", None, splits.get(dataset))


def _hashes_before(layout: DataLayout, latest: Refresh | None) -> dict[str, str]:
    """Return dataset → input hash as of the last refresh; where there was none, of what was fetched by hand."""
    if latest is not None:
        return {row.dataset: row.input_hash for row in latest.datasets if row.input_hash is not None}
    manifests = {folder.name: read_manifest(folder) for folder in layout.source_folders}
    return {dataset: manifest.input_hash for dataset, manifest in manifests.items() if manifest is not None}
