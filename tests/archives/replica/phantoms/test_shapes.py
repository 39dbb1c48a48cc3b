"""Bodies of ellipsoids, cut and projected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import AIR, CODE, TISSUES

X, Y, Z = np.eye(3)
PER_CM = np.where(np.arange(len(TISSUES)) == CODE["muscle"], 0.2, 0.0).astype(np.float32)


def straight_body() -> Body:
    return Body(np.random.default_rng(0), warp_mm=0.0)


def plane(origin: np.ndarray, right: np.ndarray = X, down: np.ndarray = Y, size: int = 81) -> Plane:
    return Plane(np.asarray(origin, float), right, down, 1.0, size, size)


def test_a_cut_through_the_middle_of_a_ball_is_a_disc_of_its_radius() -> None:
    body = straight_body()
    body.add("muscle", (0, 0, 0), (20, 20, 20), "air")
    labels = body.cut(plane((0, 0, 0)))
    assert (labels == CODE["muscle"]).sum() == pytest.approx(np.pi * 20**2, rel=0.02)
    assert (body.cut(plane((0, 0, 16))) == CODE["muscle"]).sum() == pytest.approx(np.pi * 12**2, rel=0.04)
    assert (body.cut(plane((0, 0, 21))) == AIR).all()


def test_a_ray_through_a_ball_sees_its_chord() -> None:
    body = straight_body()
    body.add("muscle", (5, 0, -7), (20, 20, 20), "air")
    path = body.project(plane((0, 0, 0), X, -Z), PER_CM)
    assert path.max() == pytest.approx(4.0 * 0.2, rel=1e-3)  # 40 mm of 0.2 per cm
    row, column = np.unravel_index(path.argmax(), path.shape)
    assert (column - 40, 40 - row) == (5, -7)


@settings(max_examples=25, deadline=None)
@given(
    radii=st.tuples(*[st.floats(10, 25)] * 3),
    turn=st.tuples(*[st.floats(0, 180)] * 3),
    centre=st.tuples(*[st.floats(-8, 8)] * 3),
)
def test_the_sum_over_cuts_is_the_projection(
    radii: tuple[float, ...], turn: tuple[float, ...], centre: tuple[float, ...]
) -> None:
    body = straight_body()
    body.add("muscle", centre, radii, "air", turn=turn)
    path = body.project(plane((0, 0, 0)), PER_CM)
    cuts = sum((body.cut(plane((0, 0, z))) == CODE["muscle"]).astype(float) for z in np.arange(-40, 41))
    assert np.abs(cuts * 0.1 * 0.2 - path).max() < 0.065  # two ends of a ray, a pixel of 1 mm each, steep edges
    assert cuts.sum() * 0.02 == pytest.approx(path.sum(), rel=0.03)


def test_pieces_of_one_organ_that_overlap_count_once() -> None:
    body = straight_body()
    body.add("muscle", (0, -6, 0), (20, 20, 20), "air")
    body.add("muscle", (0, 6, 0), (20, 20, 20), "air")
    middle = body.project(plane((0, 0, 0), X, -Z), PER_CM)[40, 40]
    assert middle == pytest.approx(5.2 * 0.2, rel=1e-3)


def test_a_hole_takes_away_what_it_displaces() -> None:
    body = straight_body()
    body.add("muscle", (0, 0, 0), (20, 20, 20), "air")
    body.add("gas", (0, 0, 0), (10, 10, 10), "muscle")
    assert body.project(plane((0, 0, 0)), PER_CM)[40, 40] == pytest.approx(2.0 * 0.2, rel=1e-3)
    assert body.cut(plane((0, 0, 0)))[40, 40] == CODE["gas"]


def test_a_rod_reaches_from_end_to_end() -> None:
    body = straight_body()
    body.rod("cortical_bone", (-29.5, 0, 0), (29.5, 0, 0), 3.5, "air", overlap=1.0)
    labels = body.cut(plane((0, 0, 0)))
    assert np.flatnonzero(labels[40] == CODE["cortical_bone"])[[0, -1]].tolist() == [11, 69]
    assert (labels[:, 40] == CODE["cortical_bone"]).sum() == 7


def test_the_corner_of_a_plane_is_the_centre_of_its_first_pixel() -> None:
    grid = Plane(np.array([0.0, 0, 50]), X, Y, 2.0, 11, 21)
    assert grid.corner().tolist() == [-20.0, -10.0, 50.0]
