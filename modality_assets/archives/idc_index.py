"""The index of the Imaging Data Commons as its own package ships it: Parquet files, read whole in seconds."""

import importlib.metadata
import os
from pathlib import Path

import polars as pl

from modality_assets.archives.archive import ArchiveContentError

SERIES_FILE = "idc_index.parquet"
PRIOR_FILE = "prior_versions_index.parquet"
COLLECTIONS_FILE = "collections_index.parquet"
VERSIONS_FILE = "version_metadata_index.parquet"


class IdcIndex:
    """The four tables of one release of the index.

    ``folder`` holds files named as in the package idc-index-data; by default it is that package's own, or
    the folder that MODALITY_IDC_INDEX names.
    """

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get("MODALITY_IDC_INDEX")
        self.folder = folder or (Path(named) if named else _package_folder())
        self._of_package = folder is None and not named

    def version(self) -> str:
        """Return the package's version; for other folders the sizes and times of the files stand for it."""
        if self._of_package:
            return f"idc-index-data {importlib.metadata.version('idc-index-data')}"
        stats = [(self.folder / name).stat() for name in (SERIES_FILE, PRIOR_FILE) if (self.folder / name).exists()]
        return "idc-index " + " ".join(f"{stat.st_size}@{stat.st_mtime_ns}" for stat in stats)

    def series(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Return the series of the current release, one row each."""
        return self._read(SERIES_FILE, columns)

    def prior(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Return versions of series that earlier releases served and the current one does not."""
        return self._read(PRIOR_FILE, columns)

    def collections(self) -> pl.DataFrame:
        """Return one row per collection of the current release."""
        return self._read(COLLECTIONS_FILE)

    def releases(self) -> pl.DataFrame:
        """Return (idc_version, version_timestamp), one row per release, oldest first."""
        return self._read(VERSIONS_FILE).sort("idc_version")

    def _read(self, name: str, columns: list[str] | None = None) -> pl.DataFrame:
        path = self.folder / name
        try:
            return pl.read_parquet(path, columns=columns)
        except (OSError, pl.exceptions.PolarsError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise ArchiveContentError(
                f"{path}: the index cannot be read ({first}); install idc-index-data again: "
                "pip install --force-reinstall idc-index-data"
            ) from None


def _package_folder() -> Path:
    import idc_index_data

    path = idc_index_data.IDC_INDEX_PARQUET_FILEPATH
    if path is None:
        raise ArchiveContentError("idc-index-data came without its index; install it again: pip install idc-index-data")
    return Path(path).parent
