"""From an archive string to an open archive. A new archive is one line in `KINDS`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from modality_assets.archives.archive import Archive, UnknownArchiveError
from modality_assets.layout import DataLayout, UnsafeNameError, dataset_key
from modality_assets.progress import SILENT, Progress

Opener = Callable[[str, DataLayout, Progress], AbstractContextManager[Archive]]


@dataclass(frozen=True)
class Kind:
    """One kind of archive: how its string is written, and how it is opened.

    ``argument`` says what follows the colon, '' if nothing may; ``required`` whether it must be there.
    """

    opener: Opener
    argument: str
    required: bool
    says: str


@dataclass(frozen=True)
class Spec:
    """An archive string taken apart; ``name`` is the name of its data root."""

    kind: str
    argument: str
    name: str


def _replica(argument: str, layout: DataLayout, progress: Progress) -> AbstractContextManager[Archive]:
    from modality_assets.archives.embedded import open_replica

    return open_replica(layout, progress)


def _folder(argument: str, layout: DataLayout, progress: Progress) -> AbstractContextManager[Archive]:
    from modality_assets.archives.folder import FolderArchive

    return closing(FolderArchive(Path(argument), name=archive_name(f"folder:{argument}")))


def _nbia(argument: str, layout: DataLayout, progress: Progress) -> AbstractContextManager[Archive]:
    from modality_assets.archives.nbia import OFFICIAL_URL, NbiaArchive

    return closing(NbiaArchive(argument or OFFICIAL_URL))


def _idc(argument: str, layout: DataLayout, progress: Progress) -> AbstractContextManager[Archive]:
    from modality_assets.archives.idc import IdcArchive

    if argument and not argument.startswith(("http://", "https://")):
        raise UnknownArchiveError(
            f"archive 'idc:{argument}': what follows the colon is the http(s) URL of an S3 endpoint"
        )

    return closing(IdcArchive(argument or None))


def _dicomweb(argument: str, layout: DataLayout, progress: Progress) -> AbstractContextManager[Archive]:
    from modality_assets.archives.dicomweb import DicomWebArchive

    return closing(DicomWebArchive(argument))


KINDS: dict[str, Kind] = {
    "replica": Kind(_replica, "", False, "replica (the embedded archive of phantoms)"),
    "folder": Kind(_folder, "PATH", True, "folder:PATH (a folder with a datasets.csv)"),
    "nbia": Kind(_nbia, "URL", False, "nbia or nbia:URL (The Cancer Imaging Archive, or another NBIA)"),
    "idc": Kind(_idc, "S3-ENDPOINT", False, "idc or idc:S3-ENDPOINT (the Imaging Data Commons)"),
    "dicomweb": Kind(_dicomweb, "URL", True, "dicomweb:URL (a PACS; the URL below which /studies lies)"),
}


def parse(spec: str) -> Spec:
    """Take an archive string apart; raise `UnknownArchiveError` listing the valid ones. Touches no disk, no network."""
    word, colon, argument = spec.strip().partition(":")
    argument = argument.strip()
    kind = KINDS.get(word)
    valid = "; ".join(each.says for each in KINDS.values())
    if kind is None:
        raise UnknownArchiveError(f"unknown archive {spec!r}: use one of {valid}")
    if kind.required and not argument:
        raise UnknownArchiveError(f"archive {spec!r} lacks its {kind.argument}: write {kind.says}")
    if colon and not kind.argument:
        raise UnknownArchiveError(f"archive {spec!r}: nothing may follow {word!r}; use one of {valid}")
    if word != "folder":
        return Spec(word, argument, word)
    try:
        name = dataset_key(Path(argument).expanduser().absolute().name)
    except UnsafeNameError:
        raise UnknownArchiveError(
            f"archive {spec!r}: the folder's name must have a letter or digit; rename it"
        ) from None
    return Spec(word, argument, name)


def archive_name(spec: str) -> str:
    """Return the name of the archive that ``spec`` names, without opening it; raise as `parse` does."""
    return parse(spec).name


@contextmanager
def open_archive(spec: str, layout: DataLayout, progress: Progress = SILENT) -> Iterator[Archive]:
    """Open the archive that ``spec`` names, and close it afterwards.

    ``layout`` is the data root; the embedded archive keeps its content there. Raises
    `UnknownArchiveError`, and any `ArchiveError` of the archive itself.
    """
    parsed = parse(spec)
    with KINDS[parsed.kind].opener(parsed.argument, layout, progress) as archive:
        yield archive
