"""From one patient to the images of each of its series: bodies, planes, physics."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.acquisition import (
    Grid,
    PhantomDataset,
    RadiographScan,
    ResonanceScan,
    Scan,
    TomographyScan,
)
from modality_assets.archives.replica.phantoms.anatomy.regions import REGIONS, TRUNK
from modality_assets.archives.replica.phantoms.computed_tomography import hounsfield_table, localizer, tomogram
from modality_assets.archives.replica.phantoms.identity import seed_of
from modality_assets.archives.replica.phantoms.magnetic_resonance import Sequence, resonance_image, signal_table
from modality_assets.archives.replica.phantoms.positron_emission import emission_image, uptake_table
from modality_assets.archives.replica.phantoms.radiography import radiograph
from modality_assets.archives.replica.phantoms.shapes import Body, Plane

_X, _Y, _Z = np.eye(3)
_RIGHT_DOWN = {"axial": (_X, _Y), "sagittal": (_Y, -_Z), "coronal": (_X, -_Z)}
_ALONG = {"axial": _Z, "sagittal": _X, "coronal": _Y}


@dataclass(frozen=True)
class Series:
    """The images of one series in physical units: HU (CT), bright tissue = 1 (MR), Bq/ml (PT), 0 to 1 (radiographs)."""

    scan: Scan
    number: int
    description: str
    planes: list[Plane]
    images: list[NDArray[np.float32]]
    sequence: Sequence | None = None
    scout: bool = False
    views: tuple[str, ...] = ()


class Patient:
    """The body of one phantom; long scans cross several regions."""

    def __init__(self, dataset: str, region: str, number: int) -> None:
        rng = np.random.default_rng(seed_of(dataset, number, "body"))
        if region == "trunk":
            self._pieces = [(height, REGIONS[name](rng)) for name, height in TRUNK]
        else:
            self._pieces = [(0.0, REGIONS[region](rng))]
        self.rng = rng

    def at(self, height: float) -> tuple[Body, float]:
        """Return the body at ``height`` mm and that height in the body's own coordinates."""
        middle, body = min(self._pieces, key=lambda piece: abs(piece[0] - height))
        return body, height - middle


def series_of(dataset: PhantomDataset, number: int, *, extra_slices: int = 0) -> Iterator[Series]:
    """Draw every series of patient ``number`` (0, 1, ...); the same numbers give the same images."""
    patient = Patient(dataset.name, dataset.region, number)
    count = 0
    for place, scan in enumerate(dataset.scans):
        if number >= scan.patients:
            continue
        rng = np.random.default_rng(seed_of(dataset.name, number, f"scan {place}"))
        for series in _scanned(dataset, patient, scan, rng, number, extra_slices):
            count += 1
            yield Series(**{**series.__dict__, "number": count})


def _scanned(
    dataset: PhantomDataset, patient: Patient, scan: Scan, rng: np.random.Generator, number: int, extra: int
) -> Iterator[Series]:
    if isinstance(scan, RadiographScan):
        yield from _radiographs(dataset, patient, scan, rng)
        return
    planes = _planes(scan.grid, rng, extra)
    if isinstance(scan, TomographyScan):
        if number < scan.scouts:
            body, _ = patient.at(0)
            views = [Plane(np.zeros(3), _X, -_Z, 440 / 256, 256, 256), Plane(np.zeros(3), _Y, -_Z, 440 / 256, 256, 256)]
            yield Series(scan, 0, "Scout", views, [localizer(body, plane, rng) for plane in views], scout=True)
        table = hounsfield_table(rng, scan.device)
        images = [tomogram(*_local(patient, plane), table, scan.device, rng) for plane in planes]
        yield Series(
            scan, 0, f"{(dataset.body_part or 'body').title()} {scan.grid.size} {scan.device.kernel}", planes, images
        )
    elif isinstance(scan, ResonanceScan):
        for sequence in scan.sequences:
            signal = signal_table(rng, sequence, scan.device)
            images = [resonance_image(*_local(patient, plane), signal, scan.device, rng) for plane in planes]
            yield Series(scan, 0, f"{scan.grid.orientation[:3].upper()} {sequence.name}", planes, images, sequence)
    else:
        uptake = uptake_table(rng, scan.device)
        images = [emission_image(*_local(patient, plane), uptake, scan.device, rng) for plane in planes]
        yield Series(scan, 0, f"PET {scan.device.tracer.upper()} AC", planes, images)


def _radiographs(
    dataset: PhantomDataset, patient: Patient, scan: RadiographScan, rng: np.random.Generator
) -> Iterator[Series]:
    size, spacing = scan.grid.size, scan.grid.field_mm / scan.grid.size
    for place, angle in enumerate(scan.views):
        turn = np.radians(angle + rng.normal(0, 2.5))
        if scan.code == "MG":
            # The compressed breast is another shape of the same patient; each view compresses it anew.
            body = REGIONS["compressed_breast"](
                np.random.default_rng(seed_of(dataset.name, int(rng.integers(1 << 30)), "breast"))
            )
            right, down = -_Y, _X * np.cos(turn) + _Z * np.sin(turn) * 0.15
            down = down / np.linalg.norm(down)
            if place % 2:
                right = _Y
            origin = np.array([0, 8 - scan.grid.field_mm * 0.4, 0])
            plane = Plane(origin, right, down, spacing, size, int(size * 0.8))
            views = ("CC" if angle == 0 else "MLO", "L" if place % 2 else "R")
        else:
            body, _ = patient.at(0)
            right = _X * np.cos(turn) + _Y * np.sin(turn)
            origin = np.array([0, 0, rng.normal(0, 8) + (40 if dataset.region == "hand" else 0)])
            plane = Plane(origin, right, -_Z, spacing, int(size * scan.height_share), size)
            views = ("PA" if abs(angle) < 20 else "LL" if abs(angle) > 70 else "LLO", "U")
        image = radiograph(body, plane, scan.device, rng)
        yield Series(scan, 0, f"{(dataset.body_part or 'view').title()} {views[0]}", [plane], [image], views=views)


def _planes(grid: Grid, rng: np.random.Generator, extra: int) -> list[Plane]:
    right, down = _RIGHT_DOWN[grid.orientation]
    along = _ALONG[grid.orientation]
    shift = rng.normal(0, 6, 2)
    step = (grid.high_mm - grid.low_mm) / max(grid.slices - 1, 1)
    start = grid.low_mm + rng.uniform(-0.4, 0.4) * step
    field = grid.field_mm * rng.uniform(0.95, 1.08)
    return [
        Plane(
            along * (start + k * step) + right * shift[0] + down * shift[1],
            right,
            down,
            field / grid.size,
            grid.size,
            grid.size,
        )
        for k in range(grid.slices + extra)
    ]


def _local(patient: Patient, plane: Plane) -> tuple[Body, Plane]:
    body, height = patient.at(float(plane.origin[2]))
    origin = np.array([plane.origin[0], plane.origin[1], height])
    return body, Plane(origin, plane.right, plane.down, plane.spacing_mm, plane.rows, plane.columns)
