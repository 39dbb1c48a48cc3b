"""What a fetch will cost, said before it starts: GB, images, minutes, and whether the disk has room."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from modality_assets.archives.archive import DiskFullError
from modality_assets.layout import DataLayout
from modality_assets.manifest import read_manifest

USUAL_BYTES_PER_SECOND = 10e6
"""What a connection is taken to bring where nothing was measured: 80 Mbit/s."""
USUAL_BYTES_PER_INSTANCE = 530_000
"""A CT slice, 512 x 512 in 16 bits with its header: for series of which the archive gives no size."""
KEEP_FREE_BYTES = 1_000_000_000
"""Room that stays free: for staging, and for what else lives on the disk."""


@dataclass(frozen=True)
class FetchPlan:
    """The facts of a fetch. ``sizes_estimated`` counts series without a size of their own."""

    series: int
    images: int
    size_bytes: int
    sizes_estimated: int
    expected_seconds: float
    free_bytes: int
    folder: str
    keep_free_bytes: int = KEEP_FREE_BYTES

    @property
    def fits(self) -> bool:
        return self.size_bytes == 0 or self.size_bytes + self.keep_free_bytes <= self.free_bytes

    def sentence(self) -> str:
        """Return all of it in one line for people."""
        about = "about " if self.sizes_estimated else ""
        return (
            f"{about}{self.size_bytes / 1e9:.2f} GB, {self.images} images in {self.series} series, "
            f"about {self.expected_seconds / 60:.0f} min; {self.free_bytes / 1e9:.1f} GB free"
        )

    def refuse_if_too_large(self) -> None:
        """Raise `DiskFullError` unless everything fits and 1 GB stays free."""
        if not self.fits:
            short = self.size_bytes + self.keep_free_bytes - self.free_bytes
            raise DiskFullError(
                f"{self.folder}: {self.sentence()}. It will not fit: free {short / 1e9:.1f} GB more, lower budget_gb, "
                "or put the data root on a larger disk (--data)"
            )

    def record(self) -> dict[str, Any]:
        """Return the facts as a JSON-able dict, with ``fits``."""
        return {**asdict(self), "fits": self.fits}


def plan_fetch(rows: pl.DataFrame, folder: Path, *, bytes_per_second: float = USUAL_BYTES_PER_SECOND) -> FetchPlan:
    """Return what fetching ``rows`` (of `SERIES_SCHEMA`) into ``folder`` will cost beyond what is there.

    Series count as there when their manifest and file sizes are right; bytes are not hashed, so this is
    quick. ``folder`` need not exist; the free space is that of the disk it will lie on.
    """
    return plan_rows(_missing(rows, folder), folder, bytes_per_second=bytes_per_second)


def plan_cohort(cohort: pl.DataFrame, layout: DataLayout) -> FetchPlan:
    """Return what fetching all datasets of ``cohort`` into their places in the data root will cost."""
    missing = [
        _missing(rows, layout.source_files(str(dataset)))
        for (dataset,), rows in cohort.group_by(["dataset"], maintain_order=True)
    ]
    return plan_rows(pl.concat(missing) if missing else cohort, layout.root)


def _missing(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Return the rows whose series is not complete in ``folder``."""
    if not folder.exists():
        return rows
    return rows.filter([read_manifest(folder / uid) is None for uid in rows["series_uid"]])


def plan_rows(missing: pl.DataFrame, folder: Path, *, bytes_per_second: float = USUAL_BYTES_PER_SECOND) -> FetchPlan:
    """Return what fetching exactly these rows will cost."""
    guess = pl.col("instances").replace(0, None).fill_null(1) * USUAL_BYTES_PER_INSTANCE
    images = pl.coalesce(pl.col("planned_images").replace(0, None), "instances").fill_null(0)
    total, shown = missing.select(pl.coalesce("size_bytes", guess).sum(), images.sum().alias("images")).row(0)
    return FetchPlan(
        series=missing.height,
        images=shown,
        size_bytes=total,
        sizes_estimated=missing["size_bytes"].null_count(),
        expected_seconds=round(total / bytes_per_second, 1),
        free_bytes=free_bytes(folder),
        folder=str(folder),
    )


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk on which ``folder`` lies or will lie."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
