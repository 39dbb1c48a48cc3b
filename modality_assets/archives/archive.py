"""What every archive of images can do, and every way in which one can fail.

    ArchiveError
    ├── UnknownArchiveError          the archive string names no archive
    ├── ArchiveUnreachableError      nobody answers, or only with "try later"
    ├── ArchiveAnswerError           an answer that is not what the interface promises
    │   └── ArchiveRefusedError      401, 403: we may not
    ├── EmptyArchiveError            the archive holds nothing
    ├── ArchiveContentError          a folder's tables or files, or an index, contradict themselves
    ├── SeriesNotFoundError          the archive does not have that series (any more)
    ├── DeliveryError                what came is not what was asked for or promised
    │   └── UnsafeZipError           a zip that no honest archive would send
    ├── DiskFullError                no room for what was asked
    └── TooManySeriesMissingError    more of a dataset is missing than may be

A new archive is one file with a class that fits `Archive`, and one line in `open.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from modality_assets.progress import SILENT, Progress


class ArchiveError(Exception):
    """Anything that goes wrong with an archive; the message says what, where and how to mend it.

    ``transient`` says whether asking again may help, ``retry_after`` how many seconds the archive asked
    us to wait before that.
    """

    transient = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownArchiveError(ArchiveError):
    """The archive string names no archive, or lacks the part after the colon."""


class ArchiveUnreachableError(ArchiveError):
    """No connection, no answer in time, or an answer that says: not now (429, 5xx)."""

    transient = True


class ArchiveAnswerError(ArchiveError):
    """The answer is not of the form that the archive's interface promises."""


class ArchiveRefusedError(ArchiveAnswerError):
    """The archive wants credentials, or refuses them (401, 403)."""


class EmptyArchiveError(ArchiveError):
    """The archive answers, and holds no images."""


class ArchiveContentError(ArchiveError):
    """Tables or files that describe an archive are missing, unreadable, or contradict one another."""


class SeriesNotFoundError(ArchiveError):
    """The archive does not have the series it listed before."""


class DeliveryError(ArchiveError):
    """Files arrived that are not those asked for, or not whole."""

    transient = True


class UnsafeZipError(DeliveryError):
    """A zip with links, paths that lead outside, too many members, or far more bytes than it should hold."""

    transient = False


class DiskFullError(ArchiveError):
    """The disk has no room for the files."""


class TooManySeriesMissingError(ArchiveError):
    """More series of a dataset could not be fetched than the settings allow."""


@dataclass(frozen=True)
class FileFacts:
    """What the archive promised of one file; None where it promises nothing. ``md5`` is lower-case hex."""

    size_bytes: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Written:
    """What was learnt of a file while it was being written. Hashes are lower-case hex.

    ``series_uid`` is the series that its first bytes name, None where they name none that could be read at once.
    """

    size_bytes: int
    sha256: str
    md5: str | None = None
    series_uid: str | None = None


@dataclass(frozen=True)
class Delivery:
    """The files of one series as they lie in the staging folder, by name relative to it.

    ``files`` is what the archive promised; ``written``, where it is known, what was written. Files that are
    not in ``written`` are read again to be verified. ``members``: what each file was called in its zip, with folders.
    """

    files: dict[str, FileFacts] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)


class Archive(Protocol):
    """A source of series of images. Implementations may be used from several threads at once."""

    name: str
    """Name of its data root: letters, digits, '.', '_', '-'."""

    synthetic: bool
    """Whether its images are phantoms."""

    def version(self) -> str:
        """Return a string that changes when the archive's content does; cheap enough for a sensor."""

    def list_collections(self) -> pl.DataFrame:
        """Return one row per dataset, as `RAW_COLLECTION_SCHEMA`."""

    def list_series(self, progress: Progress = SILENT) -> pl.DataFrame:
        """Return one row per series, as `RAW_SERIES_SCHEMA`; raise `EmptyArchiveError` if there is none."""

    def fetch_series(self, row: dict[str, Any], into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Write the files of the series ``row`` (of `list_series`) into the empty folder ``into``.

        Tries once; whoever calls decides about trying again. ``on_bytes`` is called with the number of
        bytes each time some arrived. Raises `ArchiveError`.
        """

    def pins(self) -> pl.DataFrame | None:
        """Return the archive's own split as (dataset, split), or None if it has none."""

    def close(self) -> None:
        """Let connections go."""
