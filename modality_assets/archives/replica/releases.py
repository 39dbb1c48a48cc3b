"""What an archive shows at which point in time: releases, their dates, revisions and withdrawals.

`releases.json` beside the files describes them; the file `release` beside it holds the number of the one
that is served now and is read at every request, so that a running server can be moved on.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from modality_assets.manifest import write_json

RELEASES_FILE = "releases.json"
CURRENT_FILE = "release"
FILES_FOLDER = "files"


class ReleaseError(ValueError):
    """`releases.json` or `release` cannot be read, or names a release that does not exist."""


@dataclass(frozen=True)
class DatasetRelease:
    """One dataset in time, and what the archive says of it."""

    first: int = 1
    withdrawn: int | None = None
    title: str = ""
    description: str = ""
    doi: str = ""
    licence: str = ""
    licence_uri: str = ""
    phantom: bool = False


@dataclass(frozen=True)
class Releases:
    """All releases of an archive.

    ``dates`` maps a release to its day (ISO). ``revisions`` maps a SeriesInstanceUID to the folder that holds
    its files from a release on, relative to the folder of files: `{uid: {"1": "a/01-CT", "3": "a/01-CT-revised-3"}}`.
    """

    dates: dict[str, str]
    datasets: dict[str, DatasetRelease]
    revisions: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(map(int, self.dates))

    def day(self, release: int) -> date:
        return date.fromisoformat(self.dates[str(release)])

    def shows(self, dataset: str, release: int) -> bool:
        """Tell whether ``dataset`` is there in ``release``; one that no release names always is."""
        known = self.datasets.get(dataset, DatasetRelease())
        return known.first <= release and (known.withdrawn is None or release < known.withdrawn)

    def folder_of(self, series_uid: str, release: int) -> tuple[int, str] | None:
        """Return since when and from which folder a revised series is served in ``release``; None for any other."""
        versions = [(int(number), folder) for number, folder in self.revisions.get(series_uid, {}).items()]
        return max((version for version in versions if version[0] <= release), default=None)


def read_releases(folder: Path) -> Releases | None:
    """Return the releases that ``folder`` describes, or None where it describes none."""
    path = folder / RELEASES_FILE
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        values: dict[str, Any] = json.loads(text)
        datasets = {name: DatasetRelease(**facts) for name, facts in values["datasets"].items()}
        return Releases(values["dates"], datasets, values.get("revisions", {}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ReleaseError(
            f"{path}: not a description of releases ({error}); delete it to have it made again"
        ) from None


def write_releases(folder: Path, releases: Releases) -> None:
    """Write the description of all releases, whole or not at all."""
    write_json(folder / RELEASES_FILE, asdict(releases))


def current_release(folder: Path, releases: Releases | None) -> int:
    """Return the release that is served now: the number in the file `release`, or 1."""
    try:
        text = (folder / CURRENT_FILE).read_text().strip()
    except FileNotFoundError:
        return 1
    if not text.isdigit() or (releases is not None and text not in releases.dates):
        known = ", ".join(sorted(releases.dates)) if releases else "1"
        raise ReleaseError(f"{folder / CURRENT_FILE}: holds {text!r}; write one of the releases {known} into it")
    return int(text)


def set_release(folder: Path, number: int) -> None:
    """Serve release ``number`` from now on; raise `ReleaseError` for one that does not exist."""
    releases = read_releases(folder)
    if releases is None or str(number) not in releases.dates:
        known = ", ".join(sorted(releases.dates)) if releases else "none"
        raise ReleaseError(f"{folder}: has no release {number}; there are: {known}")
    write_json(folder / CURRENT_FILE, number)
