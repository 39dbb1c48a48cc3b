"""Slices are turned as radiologists look at them; no value changes."""

import numpy as np
import pytest

from modality_assets.imaging.orientation import slice_orientation

LEFT, BACK, HEAD = np.eye(3)
PLANE = np.arange(12).reshape(3, 4)  # x, y


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (LEFT, BACK, PLANE.T),  # axial, as DICOM stores it
        (-LEFT, -BACK, PLANE[::-1, ::-1].T),  # axial in RAS
        (-LEFT, HEAD, PLANE[::-1, ::-1].T),  # coronal in RAS: head on top, left at the right hand
        (BACK, HEAD, PLANE[:, ::-1].T),  # sagittal: head on top, back at the right hand
        (HEAD, BACK, PLANE[::-1]),  # sagittal with its axes exchanged
        (BACK, LEFT, PLANE),  # axial with its axes exchanged
    ],
)
def test_head_or_front_is_on_top_and_left_or_back_at_the_right_hand(
    x: np.ndarray, y: np.ndarray, expected: np.ndarray
) -> None:
    orientation = slice_orientation(np.stack([x, y], axis=1))
    np.testing.assert_array_equal(orientation.apply(PLANE), expected)
    assert orientation.row_column((1.0, 2.0)) == ((2.0, 1.0) if orientation.transpose else (1.0, 2.0))


def test_oblique_slices_take_the_nearest_axes() -> None:
    oblique = np.array([[-0.8, 0.1], [0.3, -0.9], [0.5, 0.4]])
    np.testing.assert_array_equal(slice_orientation(oblique).apply(PLANE), PLANE[::-1, ::-1].T)


@pytest.mark.parametrize("broken", [np.zeros((3, 2)), np.full((3, 2), np.nan), np.ones((3, 2))])
def test_broken_directions_leave_x_across_and_y_down(broken: np.ndarray) -> None:
    np.testing.assert_array_equal(slice_orientation(broken).apply(PLANE), PLANE.T)
