"""How an archive grew: what came, was revised and was withdrawn, release by release.

The Imaging Data Commons keeps its whole history in its index, so any past release can be made again; for
other archives two listings are compared.
"""

from dataclasses import dataclass

import polars as pl

from modality_assets.archives.archive import ArchiveContentError
from modality_assets.archives.idc_index import IdcIndex


@dataclass(frozen=True)
class Changes:
    """What lies between two listings: UIDs of series, and datasets, each sorted."""

    series_added: list[str]
    series_revised: list[str]
    series_withdrawn: list[str]
    datasets_added: list[str]
    datasets_withdrawn: list[str]

    def any(self) -> bool:
        return any((self.series_added, self.series_revised, self.series_withdrawn))


def changes(before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """Compare two listings of `RAW_SERIES_SCHEMA`.

    A series is revised when its release, its place, its count or its size is another than before.
    """
    facts = ["revised_release", "archive_ref", "instances", "size_bytes"]
    both = before.select("series_uid", *facts).join(
        after.select("series_uid", *facts), on="series_uid", how="inner", suffix="_after"
    )
    differs = pl.any_horizontal([pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in facts])
    datasets_before, datasets_after = set(before["dataset"]), set(after["dataset"])
    return Changes(
        series_added=sorted(set(after["series_uid"]) - set(before["series_uid"])),
        series_revised=sorted(both.filter(differs)["series_uid"]),
        series_withdrawn=sorted(set(before["series_uid"]) - set(after["series_uid"])),
        datasets_added=sorted(datasets_after - datasets_before),
        datasets_withdrawn=sorted(datasets_before - datasets_after),
    )


def idc_history(index: IdcIndex | None = None) -> pl.DataFrame:
    """Return every version of every series that any release of the index served.

    Columns: dataset, series_uid, modality_tag, uuid (of that version), first and last (releases that served
    it, both inclusive; last is the newest release for what is current).
    """
    index = index or IdcIndex()
    newest = _newest(index)
    names = {
        "collection_id": "dataset",
        "SeriesInstanceUID": "series_uid",
        "Modality": "modality_tag",
        "crdc_series_uuid": "uuid",
    }
    current = index.series([*names, "series_revised_idc_version"]).select(
        *[pl.col(old).alias(new) for old, new in names.items()],
        first=pl.col("series_revised_idc_version"),
        last=pl.lit(newest, pl.Int64),
    )
    prior = index.prior([*names, "min_idc_version", "max_idc_version"]).select(
        *[pl.col(old).alias(new) for old, new in names.items()],
        first=pl.col("min_idc_version"),
        last=pl.col("max_idc_version"),
    )
    return pl.concat([current, prior])


def series_at(history: pl.DataFrame, release: int) -> pl.DataFrame:
    """Return the series that one release served: dataset, series_uid, modality_tag, uuid; one row each."""
    served = history.filter((pl.col("first") <= release) & (pl.col("last") >= release))
    return served.select("dataset", "series_uid", "modality_tag", "uuid").unique()


def idc_releases(index: IdcIndex | None = None, modalities: tuple[str, ...] | None = None) -> pl.DataFrame:
    """Replay all releases of the index, and return one row each.

    ``modalities`` keeps only series with these tags. Columns: release, released (date), datasets, series,
    series_added, series_revised, series_withdrawn, datasets_added and datasets_withdrawn (lists of keys). A
    series is revised when the release serves another version of it (uuid) than the one before.
    """
    index = index or IdcIndex()
    history = idc_history(index)
    if modalities is not None:
        history = history.filter(pl.col("modality_tag").is_in(list(modalities)))
    newest = _newest(index)
    spans = history.select("series_uid", "uuid", "first", "last").sort("series_uid", "first", "last")
    uid, first, last = pl.col("series_uid"), pl.col("first"), pl.col("last")
    there_before = (uid == uid.shift(1)) & (last.shift(1) >= first - 1)
    there_after = (uid == uid.shift(-1)) & (first.shift(-1) <= last + 1)
    spans = spans.with_columns(
        came=~there_before.fill_null(False),
        changed=there_before.fill_null(False) & (pl.col("uuid") != pl.col("uuid").shift(1)),
        went=~there_after.fill_null(False) & (last < newest),
    )
    added, revised = _count(spans.filter("came"), first), _count(spans.filter("changed"), first)
    withdrawn = _count(spans.filter("went"), last + 1)
    served = history.select("dataset", "first", "last").unique().rows()
    dates = dict(index.releases().select("idc_version", "version_timestamp").iter_rows())
    rows, series, old = [], 0, set[str]()
    for release in range(1, newest + 1):
        new = {dataset for dataset, since, until in served if since <= release <= until}
        series += added.get(release, 0) - withdrawn.get(release, 0)
        rows.append(
            {
                "release": release,
                "released": dates.get(release),
                "datasets": len(new),
                "series": series,
                "series_added": added.get(release, 0),
                "series_revised": revised.get(release, 0),
                "series_withdrawn": withdrawn.get(release, 0),
                "datasets_added": sorted(new - old),
                "datasets_withdrawn": sorted(old - new),
            }
        )
        old = new
    lists = {"datasets_added": pl.List(pl.String), "datasets_withdrawn": pl.List(pl.String)}
    return pl.DataFrame(rows, schema_overrides=lists)


def _count(spans: pl.DataFrame, release: pl.Expr) -> dict[int, int]:
    return dict(spans.group_by(release.alias("release")).len().iter_rows())


def _newest(index: IdcIndex) -> int:
    newest = index.releases()["idc_version"].max()
    if not isinstance(newest, int):
        raise ArchiveContentError(f"{index.folder}: the index lists no releases; install idc-index-data again")
    return newest
