"""The format of a shards folder, named once: what `writer` writes, `reader` reads, and nothing else knows.

    pixels-00000.npy …  (n, H, W) uint16 q (uint8 when ``bits`` is 8); row order is file order
    affine.npy          (N, 2) float32 scale and offset: value = scale · q / levels + offset
    labels.npy          (N,) uint8, index into ``classes``
    datasets.npy        (N,) uint16, index into ``datasets``
    provenance.npy      (N,) structured, fixed-width UTF-8 bytes: where each row came from
    index.json          this module's `ShardIndex`

Errors, all below `ShardError`:

    ShardError
    ├── ShardsMissingError     no shards there
    ├── ShardVersionError      another version of this format
    ├── DamagedShardError      a file is missing, has another length, or other bytes
    ├── DecodedImagesError     (writer) a decoded folder contradicts its contract
    └── EmptySplitError        (writer) no image for this split
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modality_assets.modality import check_classes

VERSION = 1
INDEX, AFFINE, LABELS, DATASETS, PROVENANCE = "index.json", "affine.npy", "labels.npy", "datasets.npy", "provenance.npy"
ARRAYS = (AFFINE, LABELS, DATASETS, PROVENANCE)
PROVENANCE_TEXTS = ("dataset", "patient_id", "study_uid", "series_uid", "instance_uid", "source_file", "pixel_file")
PROVENANCE_NUMBERS = ("frame", "pixel_index")


class ShardError(Exception):
    """Something is wrong with a shards folder."""


class ShardsMissingError(ShardError):
    """There are no shards where they were looked for."""


class ShardVersionError(ShardError):
    """The shards were written by another version of the format."""


class DamagedShardError(ShardError):
    """A file of the shards is missing, has another length, or does not hold what the index says."""


class DecodedImagesError(ShardError):
    """A folder of decoded images is missing or contradicts its contract."""


class EmptySplitError(ShardError):
    """A split would have no image."""


@dataclass(frozen=True)
class ShardFile:
    """One file: its rows, its SHA-256 (hex) and length, and for pixels the digest of the images that went in."""

    name: str
    rows: int
    sha256: str
    bytes: int
    content: str = ""


@dataclass(frozen=True)
class ShardIndex:
    """The content of index.json.

    ``mean`` and ``std`` are those of the rescaled values of all pixels, in float64. ``levels`` is the
    largest stored value, 65535 or 255. ``compression`` is None (memory-mappable) or a codec of `codec`.
    """

    classes: tuple[str, ...]
    split: str
    rescaling: str
    clip: bool
    shape: tuple[int, int]
    dtype: str
    bits: int
    images: int
    images_per_class: dict[str, int]
    datasets: tuple[str, ...]
    seed: int
    caps: dict[str, int]
    mean: float
    std: float
    files: tuple[ShardFile, ...]
    arrays: tuple[ShardFile, ...]
    compression: str | None = None
    version: int = VERSION
    code_versions: dict[str, str] = field(default_factory=dict)

    @property
    def levels(self) -> int:
        return 2**self.bits - 1

    @property
    def row_bytes(self) -> int:
        """Bytes of one image as `ShardReader.gather` gives it."""
        return self.shape[0] * self.shape[1] * self.bits // 8

    @property
    def partition(self) -> str:
        return f"{self.rescaling}|{self.split}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def mend(partition: str) -> str:
    """Say how damaged shards are rebuilt."""
    return f"materialise rescaled_shards for {partition} again"


def read_index(folder: Path) -> ShardIndex:
    """Return the index of the shards in ``folder``.

    Raises `ShardsMissingError` without index, `ShardVersionError` and `modality.ClassOrderError` for
    shards of another format or class order, `DamagedShardError` for an index that cannot be understood.
    """
    path = folder / INDEX
    here = f"{folder.parent.name}|{folder.name}"
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise ShardsMissingError(f"{folder}: no shards here (no {INDEX}); {mend(here)}") from None
    except (OSError, ValueError) as error:
        raise DamagedShardError(f"{path}: cannot be read ({error}); {mend(here)}") from None
    if not isinstance(values, dict):
        raise DamagedShardError(f"{path}: is not an index of shards; {mend(here)}")
    if values.get("version") != VERSION:
        raise ShardVersionError(f"{path}: format {values.get('version')!r}, this version reads {VERSION}; {mend(here)}")
    check_classes(values.get("classes"), path)
    try:
        index = ShardIndex(
            **{
                **values,
                "classes": tuple(values["classes"]),
                "shape": (int(values["shape"][0]), int(values["shape"][1])),
                "datasets": tuple(values["datasets"]),
                "files": tuple(ShardFile(**file) for file in values["files"]),
                "arrays": tuple(ShardFile(**file) for file in values["arrays"]),
            }
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedShardError(f"{path}: is not an index of shards ({error!r}); {mend(here)}") from None
    _check_consistent(index, path)
    return index


def _check_consistent(index: ShardIndex, path: Path) -> None:
    """Refuse an index whose numbers contradict each other, and file names that leave the folder."""
    rows = sum(file.rows for file in index.files)
    names = [file.name for file in (*index.files, *index.arrays)]
    if (
        rows != index.images
        or index.images != sum(index.images_per_class.values())
        or index.bits not in (8, 16)
        or index.dtype != f"uint{index.bits}"
        or {file.name for file in index.arrays} != set(ARRAYS)
        or any(Path(name).name != name for name in names)
        or len(set(names)) != len(names)
    ):
        raise DamagedShardError(f"{path}: its numbers or names contradict each other; {mend(index.partition)}")
