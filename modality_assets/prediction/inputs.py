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
from modality_assets.manifest import MANIFEST

__all__ = ["ZIP_LIMITS", "Input", "Limits", "find_inputs"]

ZIP_LIMITS = Limits(members=50_000, total_bytes=16 << 30)


@dataclass(frozen=True)
class Input:
    """One file: where it lies, what the user knows it as, or why there is none."""

    shown: str
    path: Path | None
    error: str | None = None


def find_inputs(
    paths: Iterable[str | os.PathLike[str]], unpacked: ExitStack, limits: Limits = ZIP_LIMITS
) -> Iterator[Input]:
    """Yield the files that ``paths`` mean, each in the order given, folders and patterns sorted by name.

    A folder means all files below it (hidden ones and manifests left out, links to folders not followed), a
    zip its members, shown as '<zip>/<member>' and unpacked into a temporary folder that ``unpacked`` removes
    when it is closed; a text with ``*``, ``?`` or ``[`` that names no file is a pattern, ``**`` included.
    What is not there, or a zip beyond ``limits`` or that no honest program makes, is an `Input` with an error.
    """
    for given in paths:
        path = Path(given)
        if path.is_dir():
            yield from _folder(path, unpacked, limits)
        elif path.exists():
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
    names = sorted(glob.glob(pattern, recursive=True))
    for name in names:
        if os.path.isfile(name):
            yield from _file(Path(name), unpacked, limits)
    if not names:
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
        for name in sorted(delivery.files):
            yield Input(f"{path}/{name}", into / name)
        if not delivery.files:
            yield Input(str(path), None, "the zip holds no files")
