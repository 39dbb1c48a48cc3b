"""Series as zips, streamed: one piece of one file is in memory at a time."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from zipstream import ZipStream

from modality_assets.archives.replica.index import Instance, SeriesRecord

_PIECE = 256 * 1024
MD5_TABLE = "md5hashes.csv"
LICENCE = "LICENSE"


def series_zip(record: SeriesRecord, files: Path, *, new_names: bool, md5: bool) -> Iterator[bytes]:
    """Yield a zip of the series' files and its licence; ``md5`` adds a table of their MD5s as the last member.

    Files are stored, not compressed. ``new_names`` names them by acquisition and instance number
    (`1-01.dcm`), else they are counted (`00000001.dcm`).
    """
    stream = ZipStream()
    names = _new_names(record.instances) if new_names else [f"{n:08d}.dcm" for n in range(1, len(record.instances) + 1)]
    sums: dict[str, str] = {}
    for name, instance in zip(names, record.instances, strict=True):
        stream.add(_pieces(files / instance.path, name, sums), name)
    if "LicenseName" in record.row:
        text = f"{record.row['Collection']}: {record.row['LicenseName']} {record.row.get('LicenseURI', '')}\n"
        stream.add(text.encode(), LICENCE)
    if md5:
        stream.add(_table(sums), MD5_TABLE)
    yield from stream


def _new_names(instances: list[Instance]) -> list[str]:
    width = max(2, len(str(len(instances))))
    names, used = [], set()
    for place, instance in enumerate(instances, 1):
        acquisition = instance.header.get("AcquisitionNumber", "1")
        number = instance.header.get("InstanceNumber", "")
        name = (
            f"{acquisition if acquisition.isdigit() else 1}-{int(number) if number.isdigit() else place:0{width}d}.dcm"
        )
        if name in used:
            name = f"{name.removesuffix('.dcm')}-{place}.dcm"
        used.add(name)
        names.append(name)
    return names


def _pieces(path: Path, name: str, sums: dict[str, str]) -> Iterator[bytes]:
    total = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            total.update(piece)
            yield piece
    sums[name] = total.hexdigest()


def _table(sums: dict[str, str]) -> Iterator[bytes]:
    """The sums are complete when this is asked for: members are read in their order."""
    yield b"Filename,MD5Hash\n"
    for name, total in sums.items():
        yield f"{name},{total}\n".encode()
