"""What the published work says: its 103 datasets and their split, its accuracies, and the names it uses.

The tables are the dissertation's: Appendix C (datasets), Tables 6.3 to 7.18 (results), 7.22 and 7.23 (per
dataset). Names are matched to an archive's datasets by DOI first, then by the table of aliases; names that
differ only in case and punctuation are the same name. What is not matched is shown, never dropped.
"""

from importlib import resources

import polars as pl

from modality_assets.catalogue.policies import name_form

_DOI = r"(?i)(10\.\d{4,9}/[^\s;,]+)"


def datasets() -> pl.DataFrame:
    """Return Appendix C, 103 rows: name, webpage, doi (lower case, null for 7), split, host ("tcia" or "other")."""
    return _table("datasets.csv")


def results() -> pl.DataFrame:
    """Return the published accuracies: table, metric, split, rescaling, architecture, value (percent).

    The figures under the range of the data type came from a faulty rescaling (a positive minimum for signed
    data), so their ``rescaling`` is "dtype_range_published", which is not our "dtype_range".
    """
    return _table("published_results.csv").with_columns(
        pl.col("rescaling").replace("dtype_range", "dtype_range_published")
    )


def per_dataset() -> pl.DataFrame:
    """Return Tables 7.22 and 7.23: table, architecture, dataset (as printed), modality, accuracy_pct, name.

    ``name`` is the dataset's name in Appendix C, null where it has none (Brain-Tumor-Progression).
    """
    printed = _table("published_per_dataset.csv")
    return (
        printed.with_columns(form=name_form(pl.col("dataset")))
        .join(_forms(), on="form", how="left", maintain_order="left")
        .drop("form")
    )


def aliases() -> pl.DataFrame:
    """Return the table of aliases: name (Appendix C), alias, where it is used."""
    return _table("aliases.csv")


def match(collections: pl.DataFrame) -> pl.DataFrame:
    """Match the 103 published rows to an archive's datasets.

    ``collections`` has at least dataset, title and doi (one DOI or several, as URL or bare). Returns name,
    split, host, webpage, doi, dataset, matched_by ("doi" or "alias"), with dataset and matched_by null for
    rows that the archive does not have, in the order of Appendix C. A row matched by DOI is not matched by
    alias as well; a row that several datasets match stands there once for each.
    """
    published = datasets().with_row_index("row")
    offered = collections.select("dataset", "title", "doi").unique("dataset", keep="first", maintain_order=True)
    dois = (
        offered.select("dataset", doi=pl.col("doi").str.to_lowercase().str.extract_all(_DOI))
        .explode("doi", empty_as_null=True, keep_nulls=True)
        .drop_nulls("doi")
        .unique()
    )
    by_doi = published.join(dois, on="doi", how="inner").select("row", "dataset", matched_by=pl.lit("doi"))
    forms = pl.concat(
        offered.select("dataset", form=name_form(pl.col(column))).drop_nulls("form") for column in ("dataset", "title")
    ).unique()
    by_alias = (
        _forms()
        .join(forms, on="form", how="inner")
        .join(published.select("row", "name"), on="name", how="inner")
        .join(by_doi, on="row", how="anti")
        .join(by_doi, on="dataset", how="anti")
        .select("row", "dataset", matched_by=pl.lit("alias"))
        .unique()
    )
    matched = pl.concat([by_doi, by_alias]).sort("row", "dataset")
    return (
        published.join(matched, on="row", how="left", maintain_order="left")
        .sort("row", "dataset")
        .select("name", "split", "host", "webpage", "doi", "dataset", "matched_by")
    )


def pins(collections: pl.DataFrame) -> dict[str, str]:
    """Return the published split of an archive's datasets: dataset key to split, for the rows that match."""
    matched = match(collections).drop_nulls("dataset")
    return dict(matched.select("dataset", "split").iter_rows())


def _forms() -> pl.DataFrame:
    """Return (name, form) of every name that stands for a published dataset, in the form for comparing."""
    own = datasets().select("name", alias="name")
    return (
        pl.concat([own, aliases().select("name", "alias")])
        .select("name", form=name_form(pl.col("alias")))
        .unique(maintain_order=True)
    )


def _table(file: str) -> pl.DataFrame:
    with resources.files(__name__).joinpath(file).open("rb") as opened:
        return pl.read_csv(opened.read(), infer_schema_length=None)
