"""The header of one image as the interface lists it: an element a row, '>' for each sequence that it lies in."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

_LONGEST = 1024  # characters of a value; what is longer is no description


def header_rows(file: Path) -> list[dict[str, str]]:
    """Return ``element`` as (gggg,eeee), ``name`` and ``data`` of every element but the pixels."""
    read = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    return [*_rows(read.file_meta, 0), *_rows(read, 0)]


def _rows(dataset: Dataset, depth: int) -> Iterator[dict[str, str]]:
    for element in dataset:
        number = f"{'>' * depth}({element.tag.group:04X},{element.tag.element:04X})"
        is_sequence = element.VR == "SQ"
        data = "" if is_sequence else str(element.value)
        yield {"element": number, "name": element.name, "data": data if len(data) <= _LONGEST else ""}
        for item in element.value if is_sequence else ():
            yield from _rows(item, depth + 1)
