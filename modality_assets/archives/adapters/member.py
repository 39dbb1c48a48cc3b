"""One file of a dataset on disk, with what its place in the tree says of it; and the walk over a tree."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NO_CONTENT = {"DICOMDIR", "Thumbs.db", "desktop.ini", "LICENSE", "LICENSE.txt"}


@dataclass(frozen=True)
class Member:
    """A file, relative to the dataset's folder, and the identity that its place gives it.

    None: the place does not say. DICOM headers win over what is said here. ``companions`` are files
    that the first cannot be read without (the .raw of an .mhd), ``packed`` marks a tar whose members are
    the files of one series.
    """

    path: str
    patient: str | None = None
    study: str | None = None
    series: str | None = None
    body_part: str | None = None
    companions: tuple[str, ...] = ()
    packed: bool = False


def walk(folder: Path) -> Iterator[str]:
    """Yield every file below ``folder`` as a relative POSIX path, sorted; hidden files and indexes left out.

    Links to folders are followed, each real folder once.
    """
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name not in _NO_CONTENT:
                yield os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")


def matching(folder: Path, pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield (path, match) for every file whose relative path ends in ``pattern``, at whatever depth."""
    compiled = re.compile(rf"(?:^|/)(?:{pattern})$", re.IGNORECASE)
    for path in walk(folder):
        if found := compiled.search(path):
            yield path, found
