"""The general layout: any tree of files. Headers say what belongs together; a file without says nothing.

<folder>/**            every file is a member
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from modality_assets.archives.adapters.member import Member, walk

_RAW = {".raw": (".mhd", ".nhdr"), ".zraw": (".mhd",), ".img": (".hdr",)}


def members(folder: Path) -> Iterator[Member]:
    """Yield every file; raw data beside the header file of the same name goes with that header."""
    names = list(walk(folder))
    known = set(names)
    raw_of: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        for suffix in _RAW.get(path.suffix.lower(), ()):
            header = str(path.with_suffix(suffix))
            if header in known:
                raw_of[header] = name
    companions = set(raw_of.values())
    for name in names:
        if name not in companions:
            yield Member(name, companions=(raw_of[name],) if name in raw_of else ())
