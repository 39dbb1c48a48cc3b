"""How datasets lie in folders: one module a layout, one line here to name it.

A layout is a function from the folder of a dataset to its members. It reads names, not files.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from modality_assets.archives.adapters import (
    brats20,
    chexpert,
    general,
    mrnet,
    mura,
    nih_chest_xray14,
    oai,
    rsna_bone_age,
)
from modality_assets.archives.adapters.member import Member

Layout = Callable[[Path], Iterator[Member]]

LAYOUTS: dict[str, Layout] = {
    "general": general.members,
    "chexpert": chexpert.members,
    "rsna_bone_age": rsna_bone_age.members,
    "nih_chest_xray14": nih_chest_xray14.members,
    "mrnet": mrnet.members,
    "mura": mura.members,
    "oai": oai.members,
    "brats20": brats20.members,
}
"""Layouts by the name that the ``layout`` column of a datasets.csv gives."""

__all__ = ["LAYOUTS", "Layout", "Member"]
