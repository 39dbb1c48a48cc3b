"""How the slices of a volume are turned so that they lie as the same anatomy lies in DICOM.

Slices are taken along the last spatial axis, as the file stores it. Within the slice the axis nearest to the
head-foot direction is the vertical one, else the front-back one; rows run towards the feet, or the back, and
columns towards the patient's left, or the back (DICOM PS3.3 C.7.6.2.1.1, as scanners write axial, coronal and
sagittal images). Only transposes and flips: no value changes.
"""

from dataclasses import dataclass

import numpy as np

_POSTERIOR, _SUPERIOR = 1, 2


@dataclass(frozen=True, slots=True)
class SliceOrientation:
    """What to do with a slice given as (x, y)."""

    transpose: bool  # y runs down
    flip_rows: bool
    flip_columns: bool

    def apply(self, plane: np.ndarray) -> np.ndarray:
        """Return (x, y) ``plane`` as (rows, columns); a view, nothing is copied."""
        view = plane.T if self.transpose else plane
        return view[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def row_column(self, of_x_y: tuple[float, float]) -> tuple[float, float]:
        """Return facts given for (x, y), such as the spacing, as those of (rows, columns)."""
        return of_x_y[::-1] if self.transpose else of_x_y


def slice_orientation(axes_lps: np.ndarray) -> SliceOrientation:
    """Return how slices lie whose x and y have the directions ``axes_lps``, (3, 2), left-posterior-superior."""
    (x_axis, x_sign), (y_axis, y_sign) = (_nearest(axes_lps[:, column]) for column in (0, 1))
    if x_axis == y_axis:  # directions that cannot be: leave x across and y down
        return SliceOrientation(True, False, False)
    x_is_down = x_axis == _SUPERIOR or (x_axis == _POSTERIOR and y_axis != _SUPERIOR)
    down_axis, down_sign, across_sign = (x_axis, x_sign, y_sign) if x_is_down else (y_axis, y_sign, x_sign)
    towards_head = (down_axis == _SUPERIOR) == (down_sign > 0)
    return SliceOrientation(not x_is_down, towards_head, across_sign < 0)


def _nearest(direction: np.ndarray) -> tuple[int, float]:
    direction = np.nan_to_num(np.asarray(direction, np.float64))
    axis = int(np.argmax(np.abs(direction)))
    return axis, float(direction[axis]) if direction[axis] else 1.0
