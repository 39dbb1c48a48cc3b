"""Which reader reads which file. What the bytes say wins over the declared format and the name.

A reader is a function ``read(path, file) -> FileFrames`` in a module of its own, imported when first needed, so
that a worker that sees only DICOM never loads the libraries of the other formats.
"""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from modality_assets.imaging.errors import DamagedImageError, ImagingError, UnknownFormatError
from modality_assets.imaging.frames import FileFrames, Frame

Reader = Callable[[Path, BinaryIO], FileFrames]

_HEAD_BYTES = 1024
_READERS = "modality_assets.imaging.readers"
_READER_OF_FORMAT = {
    "DICOM": f"{_READERS}.dicom",
    "NIfTI": f"{_READERS}.nifti",
    "NRRD": f"{_READERS}.itk",
    "MetaImage": f"{_READERS}.itk",
    "PNG": f"{_READERS}.picture",
    "JPEG": f"{_READERS}.picture",
    "TIFF": f"{_READERS}.picture",
    "PGM": f"{_READERS}.pgm",
    "NPY": f"{_READERS}.npy",
}
FORMATS = tuple(_READER_OF_FORMAT)
"""The formats that are read, by the names used in every table."""

_MAGIC = [
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"P2", "PGM"),
    (b"P5", "PGM"),
    (b"\x93NUMPY", "NPY"),
    (b"NRRD", "NRRD"),
    (b"\x1f\x8b", "NIfTI"),  # of gzipped formats only NIfTI is in use; its reader looks inside
]
_META_IMAGE_KEYS = (b"ObjectType", b"NDims", b"Comment")
_SUFFIXES_OF_DICOM = (".dcm", ".dicom", ".ima")
_FIRST_GROUPS = range(0x0002, 0x0040, 2)


def add_format(name: str, magic: bytes, module: str) -> None:
    """Read files that begin with ``magic`` by the function ``read`` of ``module``, a dotted name, as format ``name``.

    For formats of one's own; name the module that calls this in the ``modules`` of a `DecodingPool` too.
    """
    _READER_OF_FORMAT[name] = module
    _MAGIC.insert(0, (magic, name))


def sniff_format(head: bytes, path: Path, declared_format: str | None = None) -> str:
    """Return the format of a file from its first 1024 bytes, its name and what was declared.

    Raises `UnknownFormatError` naming the file where nothing fits.
    """
    if head[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[344:348] in (b"n+1\x00", b"ni1\x00") or head[4:8] in (b"n+2\x00", b"ni2\x00"):
        return "NIfTI"
    if head.lstrip().startswith(_META_IMAGE_KEYS) and b"ElementType" in head:
        return "MetaImage"
    group = min(int.from_bytes(head[:2], order) for order in ("little", "big")) if len(head) > 132 else 0
    expected = declared_format == "DICOM" or path.suffix.lower() in _SUFFIXES_OF_DICOM
    if group in _FIRST_GROUPS and (expected or group in (0x0002, 0x0008)):
        return "DICOM"  # no preamble: its first element shows it, in either byte order
    kinds = ", ".join(FORMATS)
    raise UnknownFormatError(f"{path.name}: its first bytes are those of no format that is read ({kinds})")


def read_frames(path: Path, *, declared_format: str | None = None) -> FileFrames:
    """Open an image file and return its facts and frames (see `modality_assets.imaging.frames`).

    Frames are decoded as they are asked for. Every failure, now or while iterating, is an
    `UnreadableImageError` with one sentence; MemoryError is left to the caller.
    """
    path = Path(path)
    with _named_errors(path):
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed just below, before the frames are used
        except OSError as error:
            raise DamagedImageError(f"{path.name}: cannot be opened ({error.strerror})") from None
        with file:
            kind = sniff_format(file.read(_HEAD_BYTES), path, declared_format)
            file.seek(0)
            found = _reader(_READER_OF_FORMAT[kind])(path, file)
    return replace(found, frames=lambda: _checked(path, found))


def _checked(path: Path, found: FileFrames) -> Iterator[Frame]:
    with _named_errors(path):
        seen = 0
        for frame in found.frames():
            seen += 1
            yield frame
        if seen != found.count:
            raise DamagedImageError(f"{path.name}: {found.count} frames promised, {seen} found")


@cache
def _reader(module: str) -> Reader:
    reader: Reader = importlib.import_module(module).read
    return reader


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turn whatever a library raises into one named sentence; libraries' warnings are not ours to show."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ImagingError, MemoryError, GeneratorExit, KeyboardInterrupt):
        raise
    except Exception as error:
        text = str(error) or "no reason given"
        raise DamagedImageError(f"{path.name}: {type(error).__name__}: {text}") from error
