"""What a user names, a file, folder, zip or pattern, becomes the files to look at, in a stable order."""

import glob
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from modality_assets.archives.archive import ArchiveError
from modality_assets.archives.unpack import Limits, unzip
from modality_assets.archives.written import pieces_of
from modality_assets.imaging.decoded_tables import printable
from modality_assets.manifest import MANIFEST

__all__ = ["ZIP_LIMITS", "Input", "Limits", "Paths", "find_inputs"]

ZIP_LIMITS = Limits(members=50_000, total_bytes=16 << 30)


Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several."""


@dataclass(frozen=True)
class Input:
    """One file: what the user knows it as, where it lies, or why there is none."""

    name: str
    path: Path | None
    error: str | None = None

    @property
    def shown(self) -> str:
        """The name as text that can be written anywhere."""
        return printable(self.name)


def find_inputs(paths: Paths, unpacked: ExitStack, limits: Limits = ZIP_LIMITS) -> Iterator[Input]:
    """Yield the files that ``paths`` mean, each in the order given, folders and patterns by name.

    A folder means all files below it (hidden ones and manifests left out, links to folders not followed), a
    zip its members but hidden ones, shown as '<zip>/<member>' and unpacked into a temporary folder that ``unpacked``
    removes when it is closed; a text with ``*``, ``?`` or ``[`` that names no file is a pattern of files and folders,
    or, with ``**``, of files at any depth.
    What is not there, or a zip beyond ``limits`` or that no honest program makes, is an `Input` with an error.
    """
    for given in [paths] if isinstance(paths, str | os.PathLike) else paths:
        path = Path(given)
        try:
            is_folder, is_there = path.is_dir(), path.exists()
        except OSError as error:  # a name longer than any may be
            yield Input(os.fspath(given), None, f"no file can be called this: {error.strerror}")
            continue
        if is_folder:
            yield from _folder(path, unpacked, limits)
        elif is_there:
            yield from _file(path, unpacked, limits)
        elif any(sign in os.fspath(given) for sign in "*?["):
            yield from _pattern(os.fspath(given), unpacked, limits)
        else:
            yield Input(os.fspath(given), None, "there is no such file or folder")


def _folder(folder: Path, unpacked: ExitStack, limits: Limits) -> Iterator[Input]:
    found = False
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name != MANIFEST:
                found = True
                yield from _file(Path(parent, name), unpacked, limits)
    if not found:
        yield Input(str(folder), None, "the folder holds no files")


def _pattern(pattern: str, unpacked: ExitStack, limits: Limits) -> Iterator[Input]:
    found = False
    for name in sorted(glob.glob(pattern, recursive=True)):
        if os.path.isfile(name):
            found = True
            yield from _file(Path(name), unpacked, limits)
        elif os.path.isdir(name) and "**" not in pattern:  # with ** the files in it match themselves
            found = True
            yield from _folder(Path(name), unpacked, limits)
    if not found:
        yield Input(pattern, None, "no file matches this pattern")


def _file(path: Path, unpacked: ExitStack, limits: Limits) -> Iterator[Input]:
    if not path.is_file():
        yield Input(str(path), None, "not a file or folder: devices and pipes are not read")
    elif not zipfile.is_zipfile(path):
        yield Input(str(path), path)
    else:
        into = Path(unpacked.enter_context(TemporaryDirectory(prefix="modality-")))
        try:
            with path.open("rb") as file:
                delivery = unzip(pieces_of(file), into, limits=limits, md5s=None, skip=())
        except (ArchiveError, OSError) as error:
            yield Input(str(path), None, f"{type(error).__name__}: {error}")
            return
        members = sorted((member, name) for name, member in delivery.members.items() if not _is_hidden(member))
        for member, name in members:
            yield Input(f"{path}/{member}", into / name)
        if not members:
            yield Input(str(path), None, "the zip holds no files")


def _is_hidden(member: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in member.split("/"))
