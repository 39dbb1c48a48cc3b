"""How a dataset was acquired and stored: devices, series, numbers of bits, transfer syntaxes."""

from dataclasses import dataclass
from typing import Literal

from modality_assets.archives.replica.phantoms.computed_tomography import Tomograph
from modality_assets.archives.replica.phantoms.magnetic_resonance import Magnet, Sequence
from modality_assets.archives.replica.phantoms.positron_emission import Camera
from modality_assets.archives.replica.phantoms.radiography import Radiograph

Syntax = Literal["explicit", "implicit", "big_endian", "rle", "jpeg_ls", "jpeg_lossless", "jpeg_2000"]
Orientation = Literal["axial", "sagittal", "coronal"]


@dataclass(frozen=True)
class Storage:
    """How pixels are stored: DICOM PS3.3 C.7.6.3.1.

    ``level`` is the stored value of a bright tissue (MR) or of white (radiographs); CT and PT have slopes.
    """

    bits: int = 16
    signed: bool = False
    syntax: Syntax = "explicit"
    inverted: bool = False  # MONOCHROME1
    slope: float = 1.0
    intercept: float = 0.0
    level: float = 1000.0
    multi_frame: bool = False

    @property
    def allocated(self) -> int:
        return 8 if self.bits <= 8 else 16

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest value that ``bits`` bits can hold."""
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)


@dataclass(frozen=True)
class Grid:
    """The grid of a series: pixels a side, field of view in mm, slices and where they lie in the region, mm."""

    size: int
    field_mm: float
    slices: int = 1
    low_mm: float = 0.0
    high_mm: float = 0.0
    orientation: Orientation = "axial"


@dataclass(frozen=True)
class TomographyScan:
    device: Tomograph
    storage: Storage
    grid: Grid
    patients: int
    scouts: int = 0  # so many patients have a localizer too


@dataclass(frozen=True)
class ResonanceScan:
    device: Magnet
    sequences: tuple[Sequence, ...]
    storage: Storage
    grid: Grid
    patients: int


@dataclass(frozen=True)
class EmissionScan:
    device: Camera
    storage: Storage
    grid: Grid
    patients: int


@dataclass(frozen=True)
class RadiographScan:
    """``code`` is CR, DX or MG; ``views`` are angles in degrees about the long axis (0 = from the front)."""

    code: Literal["CR", "DX", "MG"]
    device: Radiograph
    storage: Storage
    grid: Grid
    patients: int
    views: tuple[float, ...] = (0.0, 90.0)
    height_share: float = 1.2


Scan = TomographyScan | ResonanceScan | EmissionScan | RadiographScan


@dataclass(frozen=True)
class PhantomDataset:
    """One dataset of phantoms: a region of the body, the scans of its patients, and its place in time."""

    name: str
    title: str
    region: str
    body_part: str | None
    manufacturer: str
    scans: tuple[Scan, ...]
    release: int = 1
    withdrawn: int | None = None
    captures: int = 0  # so many patients have a picture of the screen, labelled as the modality it shows
    truncated: tuple[int, int] | None = None  # (patient, image of its first series) whose pixels end early
    revised: tuple[int, int, int] | None = None  # (release, patient, series) that comes again, with more slices

    @property
    def patients(self) -> int:
        return max(scan.patients for scan in self.scans)
