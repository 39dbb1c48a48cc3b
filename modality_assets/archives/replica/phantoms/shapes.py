"""Bodies made of ellipsoids: cut by a plane into a map of tissues, or projected along parallel rays.

Both are analytic, so a body of two hundred ellipsoids is cut in milliseconds at any resolution, and a slice
and a radiograph of one body show the same anatomy. Coordinates are millimetres in the patient's axes of
DICOM PS3.3 C.7.6.2.1.1: x to the patient's left, y to the back, z to the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms.tissues import AIR, CODE

Vector = NDArray[np.float64]
Point = Sequence[float] | NDArray[np.float64]
_WAVES = 7


@dataclass(frozen=True)
class Ellipsoid:
    """One ellipsoid; ``roughness`` lets its surface wander by that share of its radius."""

    centre: Vector  # (3,) mm
    form: NDArray[np.float64]  # (3, 3): a point p is inside when (p - centre)' form (p - centre) <= 1
    tissue: int
    within: int
    roughness: float


@dataclass(frozen=True)
class Plane:
    """A grid of square pixels in space; ``right`` and ``down`` are unit vectors along rows and columns."""

    origin: Vector  # (3,) mm, the centre of the grid
    right: Vector
    down: Vector
    spacing_mm: float
    rows: int
    columns: int

    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the positions of columns and rows along ``right`` and ``down``, mm from the origin."""
        u = (np.arange(self.columns, dtype=np.float32) - (self.columns - 1) / 2) * self.spacing_mm
        v = (np.arange(self.rows, dtype=np.float32) - (self.rows - 1) / 2) * self.spacing_mm
        return u, v

    def corner(self) -> Vector:
        """Return the position of the centre of the first pixel: Image Position (Patient), mm."""
        half_row, half_column = (self.columns - 1) / 2 * self.spacing_mm, (self.rows - 1) / 2 * self.spacing_mm
        return self.origin - half_row * self.right - half_column * self.down


@dataclass
class Body:
    """Ellipsoids in painting order: a later one replaces what it covers."""

    rng: np.random.Generator
    warp_mm: float = 4.0
    parts: list[Ellipsoid] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._wave_vectors = self.rng.normal(0, 1, (_WAVES, 3)) * 0.09  # 1/mm: features of one to five centimetres
        self._wave_phases = self.rng.uniform(0, 2 * np.pi, _WAVES)
        self._warp_phases = self.rng.uniform(0, 2 * np.pi, 8)
        self._warp_lengths = self.rng.uniform(70, 190, 8)

    def add(
        self,
        tissue: str,
        centre: Point,
        radii: Point,
        within: str = "muscle",
        *,
        turn: Point = (0, 0, 0),
        roughness: float = 0.0,
    ) -> None:
        """Add an ellipsoid of ``radii`` mm around ``centre``, turned by degrees about x, y and z.

        ``within`` names the tissue that it displaces, which projections need.
        """
        rotation = _rotation(turn)
        form = rotation @ np.diag(1 / np.square(np.asarray(radii, float))) @ rotation.T
        self.parts.append(Ellipsoid(np.asarray(centre, float), form, CODE[tissue], CODE[within], roughness))

    def rod(
        self,
        tissue: str,
        start: Point,
        end: Point,
        radius: float,
        within: str = "muscle",
        overlap: float = 1.25,
    ) -> None:
        """Add an ellipsoid that reaches from ``start`` to ``end``: a bone, a vessel, a piece of a rib."""
        first, last = np.asarray(start, float), np.asarray(end, float)
        along = last - first
        length = float(np.linalg.norm(along))
        direction = along / length
        # The same curvature across the axis everywhere, another along it.
        across, lengthwise = 1 / radius**2, 1 / (overlap * length / 2) ** 2
        form = across * np.eye(3) + (lengthwise - across) * np.outer(direction, direction)
        self.parts.append(Ellipsoid((first + last) / 2, form, CODE[tissue], CODE[within], 0.0))

    def cut(self, plane: Plane) -> NDArray[np.uint8]:
        """Return the tissue code at every pixel of ``plane``: (rows, columns) uint8."""
        u, v = plane.axes()
        grid_u, grid_v = self._warped(u, v)
        labels = np.full((plane.rows, plane.columns), AIR, np.uint8)
        noise = self._noise(plane, grid_u, grid_v)
        frame = np.stack([plane.right, plane.down], axis=1)  # (3, 2)
        # Where each ellipsoid meets the plane, for all of them at once: f(w) = w'Mw + 2l'w + c on the plane.
        forms, centres, roughness = self._stacked()
        offsets = plane.origin - centres  # (P, 3)
        matrices = frame.T @ forms @ frame  # (P, 2, 2)
        inverses = np.linalg.inv(matrices)
        bent = np.einsum("pij,pj->pi", forms, offsets)
        linear = bent @ frame  # (P, 2)
        middles = -np.einsum("pij,pj->pi", inverses, linear)
        lowest_values = np.einsum("pi,pi->p", offsets, bent) + np.einsum("pi,pi->p", linear, middles)
        reaches = 1 + 2.2 * roughness - lowest_values
        halves = np.sqrt(np.maximum(reaches, 0)[:, None] * np.diagonal(inverses, axis1=1, axis2=2)) + 2 * self.warp_mm
        for place in np.flatnonzero(reaches > 0):
            part, matrix, middle, half = self.parts[place], matrices[place], middles[place], halves[place]
            lowest = lowest_values[place]
            window = _window(u, v, middle, half)
            if window is None:
                continue
            du = grid_u[window] - np.float32(middle[0])
            dv = grid_v[window] - np.float32(middle[1])
            value = _quadratic(matrix, du, dv) + np.float32(lowest)
            if part.roughness:
                value += np.float32(part.roughness) * noise[window]
            labels[window][value <= 1] = part.tissue
        return labels

    def project(self, plane: Plane, per_cm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the integral of attenuation along rays perpendicular to ``plane``: (rows, columns) float32.

        ``per_cm`` is the linear attenuation of each tissue in 1/cm. Every ellipsoid contributes its chord
        times the difference to the tissue that it displaces.
        """
        u, v = plane.axes()
        grid_u, grid_v = self._warped(u, v)
        total = np.zeros((plane.rows, plane.columns), np.float32)
        reached: dict[tuple[int, int], NDArray[np.float32]] = {}
        frame = np.stack([plane.right, plane.down], axis=1)
        ray = np.cross(plane.right, plane.down)
        forms, centres, _ = self._stacked()
        alongs = forms @ ray  # (P, 3)
        depths = alongs @ ray
        shadows = forms - np.einsum("pi,pj->pij", alongs, alongs) / depths[:, None, None]
        matrices = frame.T @ shadows @ frame
        middles = (centres - plane.origin) @ frame
        halves = np.sqrt(np.diagonal(np.linalg.inv(matrices), axis1=1, axis2=2)) + 2 * self.warp_mm
        distances = centres @ ray
        for place in np.argsort(distances, kind="stable"):
            part, matrix, middle, half = self.parts[place], matrices[place], middles[place], halves[place]
            along, depth = alongs[place], depths[place]
            difference = float(per_cm[part.tissue] - per_cm[part.within])
            window = _window(u, v, middle, half)
            if window is None or difference == 0:
                continue
            du = grid_u[window] - np.float32(middle[0])
            dv = grid_v[window] - np.float32(middle[1])
            half_chord = np.sqrt(np.maximum(1 - _quadratic(matrix, du, dv), 0)) * np.float32(1 / np.sqrt(depth))
            tilt = -(frame.T @ along) / depth
            centre = np.float32(tilt[0]) * du + np.float32(tilt[1]) * dv + np.float32(distances[place])
            # Pieces of one organ overlap, and what two of them share must count once.
            key = (part.tissue, part.within)
            if key not in reached:
                reached[key] = np.full(total.shape, -1e6, np.float32)
            before = reached[key][window]
            end = centre + half_chord
            chord = np.minimum(np.maximum(end - before, 0), 2 * half_chord)  # mm
            total[window] += chord * np.float32(difference / 10)
            np.maximum(before, np.where(half_chord > 0, end, before), out=reached[key][window])
        return np.maximum(total, 0)

    def _stacked(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return forms (P, 3, 3), centres (P, 3) and roughness (P,) of all parts."""
        forms = np.stack([part.form for part in self.parts])
        centres = np.stack([part.centre for part in self.parts])
        return forms, centres, np.array([part.roughness for part in self.parts])

    def _warped(
        self, u: NDArray[np.float32], v: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Bend the grid smoothly, so that ellipsoids become organs."""
        p, k = self._warp_phases, 2 * np.pi / self._warp_lengths
        amplitude = self.warp_mm / 2
        shift_u = amplitude * (np.sin(k[0] * v + p[0]) + np.sin(k[1] * v + p[1]))[:, None] + amplitude / 2 * np.sin(
            k[4] * u + p[4]
        )
        shift_v = amplitude * (np.sin(k[2] * u + p[2]) + np.sin(k[3] * u + p[3]))[None, :] + (
            amplitude / 2 * np.sin(k[5] * v + p[5])[:, None]
        )
        return (u[None, :] + shift_u).astype(np.float32), (v[:, None] + shift_v).astype(np.float32)

    def _noise(self, plane: Plane, grid_u: NDArray[np.float32], grid_v: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a smooth function of space with unit variance on ``plane``, the same for every plane of this body."""
        total = np.zeros(grid_u.shape, np.float32)
        if not any(part.roughness for part in self.parts):
            return total
        for vector, phase in zip(self._wave_vectors, self._wave_phases, strict=True):
            start = float(vector @ plane.origin + phase)
            total += np.sin(
                np.float32(vector @ plane.right) * grid_u + np.float32(vector @ plane.down) * grid_v + np.float32(start)
            )
        return total * np.float32(np.sqrt(2 / _WAVES))


def _quadratic(matrix: NDArray[np.float64], du: NDArray[np.float32], dv: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b, c = np.float32(matrix[0, 0]), np.float32(2 * matrix[0, 1]), np.float32(matrix[1, 1])
    return a * du * du + b * du * dv + c * dv * dv


def _window(
    u: NDArray[np.float32], v: NDArray[np.float32], middle: NDArray[np.float64], half: NDArray[np.float64]
) -> tuple[slice, slice] | None:
    left, right = np.searchsorted(u, [middle[0] - half[0], middle[0] + half[0]])
    top, bottom = np.searchsorted(v, [middle[1] - half[1], middle[1] + half[1]])
    return None if left == right or top == bottom else (slice(top, bottom), slice(left, right))


def _rotation(degrees: Point) -> NDArray[np.float64]:
    a, b, c = np.radians(np.asarray(degrees, float))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
