"""The catalogue as it was: which series and datasets an archive's earlier releases had."""

from collections.abc import Sequence

import polars as pl

from modality_assets.catalogue.series import CatalogueError


def as_of(series: pl.DataFrame, release: str, releases: Sequence[str]) -> pl.DataFrame:
    """Return the rows of ``series`` that came in ``release`` or before it; ``releases`` are all, oldest first.

    A series that was revised later was there already. What was withdrawn since is not in today's index:
    an archive that knows its history adds those rows. Raises `CatalogueError` for a release not listed, in
    the argument or in ``first_release``.
    """
    if release not in releases:
        raise CatalogueError(f"release {release!r} is unknown; the archive has {releases[0]} to {releases[-1]}")
    return series.filter(_place(series, releases) <= releases.index(release))


def datasets_by_release(series: pl.DataFrame, releases: Sequence[str]) -> pl.DataFrame:
    """Return per release: release, datasets (kept so far), added (names of those whose first kept series came in it).

    ``series`` is the table of `decide`; ``releases`` are all, oldest first.
    """
    kept = series.filter("kept")
    first = kept.select("dataset", place=_place(kept, releases)).group_by("dataset").agg(pl.col("place").min())
    added = first.group_by("place").agg(added=pl.col("dataset").sort())
    return (
        pl.DataFrame(
            {"release": list(releases), "place": range(len(releases))}, schema={"release": pl.String, "place": pl.Int64}
        )
        .join(added, on="place", how="left", maintain_order="left")
        .with_columns(added=pl.col("added").fill_null(pl.lit([], pl.List(pl.String))))
        .select("release", pl.col("added").list.len().cum_sum().alias("datasets"), "added")
    )


def _place(series: pl.DataFrame, releases: Sequence[str]) -> pl.Series:
    first = series.get_column("first_release")
    unknown = set(first.unique()) - set(releases)
    if unknown:
        raise CatalogueError(
            f"first_release holds {sorted(map(str, unknown))[:3]}, which are not among the archive's releases"
        )
    return first.replace_strict(list(releases), range(len(releases)), return_dtype=pl.Int64)
