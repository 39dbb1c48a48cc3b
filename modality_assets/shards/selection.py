"""Which decoded images a split takes, and the two numbers per image that rescale them.

One dataset's table is in memory at a time; what stays is 30 bytes an image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modality_assets.imaging.rescaling import rescale_affine
from modality_assets.manifest import read_manifest, sha256_of
from modality_assets.modality import CLASSES
from modality_assets.shards.index import PROVENANCE_TEXTS, DecodedImagesError
from modality_assets.shards.shuffle import permutation

IMAGES = "images.parquet"
_NEEDED = {*PROVENANCE_TEXTS, "frame", "pixel_index", "modality"}

RescaleAffine = Callable[[str, Mapping[str, Any]], tuple[NDArray[np.float64], NDArray[np.float64], bool]]
"""(rescaling, column name → array) → scale and offset of each image, and whether values are clipped to [0, 1]."""


@dataclass(frozen=True)
class DecodedPixels:
    """One decoded pixels-*.npy: where its data start, its rows, and the SHA-256 (hex) of the file."""

    path: Path
    data_start: int
    rows: int
    sha256: str


@dataclass
class SelectedDataset:
    """The images of one dataset that a split takes, in the order of its table."""

    name: str
    folder: Path
    table_rows: NDArray[np.int64]  # (n,) rows of images.parquet
    labels: NDArray[np.uint8]  # (n,) index into CLASSES
    affine: NDArray[np.float32]  # (n, 2) scale, offset
    pixel_file: NDArray[np.uint32]  # (n,) index into pixel_files
    pixel_index: NDArray[np.int64]  # (n,) row of that file
    pixel_files: list[DecodedPixels]
    shape: tuple[int, int]
    clip: bool
    text_bytes: dict[str, int] = field(default_factory=dict)  # longest value of each provenance text, UTF-8


def select_dataset(
    folder: Path, *, rescaling: str, seed: int, caps: Mapping[str, int], rescale: RescaleAffine = rescale_affine
) -> SelectedDataset | None:
    """Return the images of one decoded folder under the caps, None where it has none.

    ``caps`` maps a class to the most images of it that a dataset gives; the choice among more is random,
    and depends on the seed and the dataset alone. Raises `DecodedImagesError` for a folder that
    contradicts its contract.
    """
    table = _read_table(folder)
    if not table.height:
        return None
    names = table["dataset"].unique().to_list()
    unknown = sorted(set(table["modality"].unique().to_list()) - set(CLASSES), key=str)
    if len(names) != 1 or names[0] is None or unknown:
        found = f"classes {unknown}" if unknown else f"datasets {sorted(names, key=str)}"
        raise DecodedImagesError(
            f"{folder / IMAGES}: {found}; one dataset and the classes {CLASSES} are allowed; decode it again"
        )
    name = str(names[0])
    labels = table["modality"].replace_strict(list(CLASSES), range(len(CLASSES)), return_dtype=pl.UInt8).to_numpy()
    kept = _capped(labels, caps, seed, name)
    chosen = table[kept]
    pixel_names = sorted(chosen["pixel_file"].unique().to_list())
    pixel_files, shape = _describe_pixels(folder, pixel_names)
    places = (
        chosen["pixel_file"].replace_strict(pixel_names, range(len(pixel_names)), return_dtype=pl.UInt32).to_numpy()
    )
    pixel_index = chosen["pixel_index"].cast(pl.Int64).to_numpy()
    if (pixel_index < 0).any() or (pixel_index >= np.array([file.rows for file in pixel_files])[places]).any():
        raise DecodedImagesError(f"{folder / IMAGES}: a pixel_index lies outside its pixel file; decode {name} again")
    try:
        affine, clip = _affine(rescaling, chosen, rescale)
    except KeyError as error:
        raise DecodedImagesError(
            f"{folder / IMAGES}: lacks {error}, which {rescaling} needs; decode {name} again"
        ) from None
    if not np.isfinite(affine).all():
        row = chosen.row(int(np.flatnonzero(~np.isfinite(affine).all(axis=1))[0]), named=True)
        raise DecodedImagesError(
            f"{folder / IMAGES}: {row['source_file']!r} has no finite {rescaling}; decode {name} again"
        )
    longest = chosen.select(pl.col(PROVENANCE_TEXTS).cast(pl.String).str.len_bytes().max().fill_null(0)).row(0)
    return SelectedDataset(
        name=name,
        folder=folder,
        table_rows=kept,
        labels=labels[kept],
        affine=affine,
        pixel_file=places,
        pixel_index=pixel_index,
        pixel_files=pixel_files,
        shape=shape,
        clip=clip,
        text_bytes=dict(zip(PROVENANCE_TEXTS, longest, strict=True)),
    )


def _read_table(folder: Path) -> pl.DataFrame:
    try:
        table = pl.read_parquet(folder / IMAGES)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DecodedImagesError(f"{folder / IMAGES}: cannot be read ({error}); decode {folder.name} again") from None
    if missing := sorted(_NEEDED - set(table.columns)):
        raise DecodedImagesError(f"{folder / IMAGES}: lacks the columns {missing}; decode {folder.name} again")
    return table


def _capped(labels: NDArray[np.uint8], caps: Mapping[str, int], seed: int, dataset: str) -> NDArray[np.int64]:
    """Return the rows kept, ascending."""
    kept = []
    for number, label in enumerate(CLASSES):
        rows = np.flatnonzero(labels == number)
        cap = caps.get(label)
        if cap is not None and cap < len(rows):
            rows = rows[permutation(len(rows), "cap", seed, dataset, label)[:cap]]
        kept.append(rows)
    return np.sort(np.concatenate(kept))


def _affine(rescaling: str, chosen: pl.DataFrame, rescale: RescaleAffine) -> tuple[NDArray[np.float32], bool]:
    facts = {name: chosen[name].to_numpy() for name in chosen.columns if name not in PROVENANCE_TEXTS}
    scale, offset, clip = rescale(rescaling, facts)
    return np.stack([scale, offset], axis=1).astype(np.float32), clip


def _describe_pixels(folder: Path, names: Sequence[str]) -> tuple[list[DecodedPixels], tuple[int, int]]:
    """Return the pixel files and their common (H, W); hashes come from the folder's manifest where it has one."""
    manifest = read_manifest(folder)
    listed = manifest.files if manifest else {}
    files, shapes = [], set()
    for name in names:
        path = folder / name
        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read(file)
                start = file.tell()
            length = path.stat().st_size
        except (OSError, ValueError) as error:
            raise DecodedImagesError(f"{path}: cannot be read ({error}); decode {folder.name} again") from None
        if len(shape) != 3 or dtype != np.uint16 or fortran or length != start + 2 * int(np.prod(shape)):
            raise DecodedImagesError(f"{path}: not a whole (N, H, W) uint16 array; decode {folder.name} again")
        shapes.add((shape[1], shape[2]))
        files.append(DecodedPixels(path, start, shape[0], listed.get(name, {}).get("sha256") or sha256_of(path)))
    if len(shapes) != 1:
        raise DecodedImagesError(f"{folder}: images of several sizes {sorted(shapes)}; decode it again")
    return files, shapes.pop()
