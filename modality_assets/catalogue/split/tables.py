"""A plan seen as tables: images per class and split, body parts, leakage groups."""

from collections.abc import Mapping, Sequence

import polars as pl

from modality_assets.catalogue.split.kinship import Kin
from modality_assets.modality import CLASSES

CELL_SCHEMA: dict[str, pl.DataType] = {
    "modality": pl.String(),
    "split": pl.String(),
    "images": pl.Int64(),
    "share": pl.Float64(),
    "asked": pl.Float64(),
    "deviation": pl.Float64(),
    "datasets": pl.Int64(),
    "groups": pl.Int64(),
    "body_parts": pl.Int64(),
    "manufacturers": pl.Int64(),
    "formats": pl.Int64(),
    "licences": pl.Int64(),
    "largest": pl.String(),
    "carried": pl.Float64(),
}
"""One row per class and split. ``share`` is of the class's images, ``deviation`` is share - asked; ``groups``
counts datasets that share patients once; ``largest`` carries the share ``carried`` of the split's images."""


def split_cells(datasets: pl.DataFrame, profile: pl.DataFrame, shares: Mapping[str, float]) -> pl.DataFrame:
    """Return the images of each class in each split (`CELL_SCHEMA`), classes in their order, splits as in ``shares``.

    ``datasets`` has dataset, split and group; ``profile`` conforms to `PROFILE_SCHEMA`. Classes that no
    dataset has are left out. Splits with the share 0 take no part in the shares.
    """
    placed = profile.filter(pl.col("images") > 0).join(datasets.select("dataset", "split", "group"), on="dataset")
    filled = {split: share for split, share in shares.items() if share > 0}
    rows = []
    for modality in CLASSES:
        of_class = placed.filter(pl.col("modality") == modality)
        if of_class.is_empty():
            continue
        whole = int(of_class.filter(pl.col("split").is_in(list(filled))).get_column("images").sum())
        for split, asked in shares.items():
            cell = of_class.filter(pl.col("split") == split).sort(["images", "dataset"], descending=[True, False])
            images = int(cell.get_column("images").sum())
            share = images / whole if whole and asked > 0 else 0.0
            rows.append(
                {
                    "modality": modality,
                    "split": split,
                    "images": images,
                    "share": share,
                    "asked": asked,
                    "deviation": share - asked if asked > 0 else 0.0,
                    "datasets": cell.height,
                    "groups": cell.select(pl.coalesce("group", "dataset")).n_unique() if cell.height else 0,
                    "body_parts": _distinct(cell, "body_parts"),
                    "manufacturers": _distinct(cell, "manufacturers"),
                    "formats": _distinct(cell, "formats"),
                    "licences": _distinct(cell, "licences"),
                    "largest": cell.item(0, "dataset") if cell.height else None,
                    "carried": int(cell.item(0, "images")) / images if images else 0.0,
                }
            )
    return pl.DataFrame(rows, schema=CELL_SCHEMA)


def worst_deviation(cells: pl.DataFrame) -> float:
    """Return the largest difference between a share and the share asked for, over classes and splits."""
    return float(cells.select(pl.col("deviation").abs().max()).item() or 0.0)


def body_part_table(datasets: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Return modality, body_part, split, images, datasets: what each class shows in each split.

    Images are planned frames before any cap, for a body part is counted by its series. Images without a
    known body part are not in the table.
    """
    return (
        profile.filter((pl.col("body_parts").list.len() > 0) & (pl.col("images") > 0))
        .join(datasets.select("dataset", "split"), on="dataset")
        .explode("body_parts", "body_part_images")
        .group_by("modality", pl.col("body_parts").alias("body_part"), "split")
        .agg(images=pl.col("body_part_images").sum(), datasets=pl.col("dataset").n_unique().cast(pl.Int64))
        .sort("modality", "body_part", "split")
    )


def unseen_body_parts(profile: pl.DataFrame, datasets: pl.DataFrame) -> pl.DataFrame:
    """Return modality, body_part, split, images of what a class shows outside train and never in train."""
    table = body_part_table(datasets, profile)
    seen = table.filter(pl.col("split") == "train").select("modality", "body_part")
    return table.filter(pl.col("split") != "train").join(seen, on=["modality", "body_part"], how="anti")


def leakage_groups(datasets: pl.DataFrame, kin: Sequence[Kin]) -> pl.DataFrame:
    """Return the pairs that share patients: group, dataset, split, other, other_split, patients, evidence, leak.

    ``leak`` is true where the two are in different splits. Pairs of which one is in no split are left out.
    """
    split_of = dict(datasets.select("dataset", "split").iter_rows())
    group_of = dict(datasets.select("dataset", "group").iter_rows())
    rows = [
        {
            "group": group_of[pair.one],
            "dataset": pair.one,
            "split": split_of[pair.one],
            "other": pair.other,
            "other_split": split_of[pair.other],
            "patients": pair.patients,
            "evidence": pair.evidence,
            "leak": split_of[pair.one] != split_of[pair.other],
        }
        for pair in kin
        if pair.one in split_of and pair.other in split_of
    ]
    schema = dict.fromkeys(("group", "dataset", "split", "other", "other_split"), pl.String())
    return pl.DataFrame(rows, schema={**schema, "patients": pl.Int64(), "evidence": pl.String(), "leak": pl.Boolean()})


def _distinct(cell: pl.DataFrame, column: str) -> int:
    return cell.get_column(column).explode().drop_nulls().n_unique() if cell.height else 0
