"""The published work beside ours: its split, its accuracy per dataset, and what others need for the same work."""

import polars as pl

from dashboard.results.kept import published


def published_split(collections: pl.DataFrame) -> pl.DataFrame:
    """Where the published work put the datasets of ``collections`` (dataset, doi): dataset, published_split."""
    theirs = published("datasets.csv").select(_plain("name"), published_split="split").unique("plain")
    return _plain_names(collections).join(theirs, on="plain").drop("plain").unique("dataset")


def published_accuracy(collections: pl.DataFrame) -> pl.DataFrame:
    """Return dataset, modality, published: the best published model's accuracy on datasets of ``collections``."""
    theirs = published("published_per_dataset.csv").select(_plain("dataset"), "modality", "accuracy_pct")
    found = _plain_names(collections).join(theirs, on="plain")
    return found.group_by("dataset", "modality").agg(published=pl.col("accuracy_pct").max() / 100)


def reference_speeds() -> pl.DataFrame:
    """Return what others need for the same work: asset, images_per_second, what, hardware, source."""
    return published("speeds.csv")


def _plain_names(collections: pl.DataFrame) -> pl.DataFrame:
    """The published work's name of each of ``collections``, by DOI, name or alias: dataset, plain."""
    ours = collections.select("dataset", _plain("dataset"), doi=pl.col("doi").str.to_lowercase())
    theirs = published("datasets.csv").select(_plain("name"), doi=pl.col("doi").str.to_lowercase())
    aliases = published("aliases.csv").select(_plain("alias"), _plain("name", "theirs"))
    by_doi = ours.drop("plain").filter(pl.col("doi").is_not_null()).join(theirs, on="doi")
    by_alias = ours.join(aliases, on="plain").select("dataset", plain="theirs")
    return pl.concat([ours.select("dataset", "plain"), by_doi.select("dataset", "plain"), by_alias]).unique()


def _plain(column: str, name: str = "plain") -> pl.Expr:
    """A name without what is written differently from place to place."""
    return pl.col(column).str.to_lowercase().str.replace_all("[^a-z0-9]", "").alias(name)
