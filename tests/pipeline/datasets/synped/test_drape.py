"""Draping: round a cylinder the cloth is a cylinder; it hangs straight, flares and goes round both legs."""

import numpy as np

from pipeline.datasets.synped.drape import DIRECTIONS, Frame, Tube, drape, part_at, radii
from pipeline.datasets.synped.mesh import Surface
from sorn.parts import LOWER_LEG, TORSO, UPPER_LEG

_FRAME = Frame(np.eye(3, 4), centre=0.0, hip=0.9, knee=0.5, scale=1.0, twist=0.0)


def _tube(**changes: float) -> Tube:
    settings = dict(start=0.3, end=-0.6, ease=0.02, slope=0.0, flare=0.0, waves=0.0, open=0.0, seed=3) | changes
    return Tube(Surface(lambda coords: coords), **settings)  # type: ignore[arg-type]


def _cylinder(radius: float, low: float, high: float, x: float = 0.0) -> np.ndarray:
    angle, height = np.meshgrid(np.linspace(0, 2 * np.pi, 200), np.arange(low, high, 0.005))
    return np.stack([x + radius * np.sin(angle), radius * np.cos(angle), height], axis=-1).reshape(-1, 3)


def _radius_at(vertices: np.ndarray, height: float) -> np.ndarray:
    near = np.abs(vertices[:, 2] - height) < 0.02
    return np.hypot(vertices[near, 0], vertices[near, 1])


def test_the_outline_of_a_circle_is_a_circle_and_of_a_square_has_its_corners() -> None:
    np.testing.assert_allclose(radii(np.full((1, len(DIRECTIONS)), 0.2)), 0.2, rtol=1e-3)
    square = (np.abs(np.sin(DIRECTIONS)) + np.abs(np.cos(DIRECTIONS)))[None]  # support of |x|, |y| <= 1
    radius = radii(square)[0]
    assert np.isclose(radius[0], 1.0, atol=0.01)
    assert np.isclose(radius[len(DIRECTIONS) // 8], np.sqrt(2), atol=0.01)


def test_cloth_keeps_its_ease_from_the_body() -> None:
    mesh = drape(_tube(), _cylinder(0.15, 0.2, 1.3), _FRAME)
    np.testing.assert_allclose(_radius_at(mesh.vertices, 0.8), 0.17, atol=0.003)


def test_cloth_hangs_straight_below_the_widest_place_and_comes_in_as_told() -> None:
    body = np.concatenate([_cylinder(0.2, 1.0, 1.3), _cylinder(0.1, 0.2, 1.0)])
    hanging = drape(_tube(), body, _FRAME)
    np.testing.assert_allclose(_radius_at(hanging.vertices, 0.5), 0.22, atol=0.003)
    fitted = drape(_tube(slope=2.0), body, _FRAME)
    np.testing.assert_allclose(_radius_at(fitted.vertices, 0.5), 0.12, atol=0.003)
    flared = drape(_tube(flare=0.3), body, _FRAME)
    assert _radius_at(flared.vertices, 0.35).min() > 0.3


def test_a_skirt_goes_round_both_legs_of_a_stride() -> None:
    legs = np.concatenate([_cylinder(0.06, 0.2, 1.3, x) + np.array([0, y, 0]) for x, y in ((0.1, 0.25), (-0.1, -0.25))])
    mesh = drape(_tube(end=-0.4), legs, _FRAME)
    ring = mesh.vertices[np.abs(mesh.vertices[:, 2] - 0.8) < 0.02]
    assert ring[:, 1].max() > 0.31 and ring[:, 1].min() < -0.31


def test_an_open_front_is_open_at_the_front() -> None:
    closed, opened = (drape(_tube(open=gap), _cylinder(0.15, 0.2, 1.3), _FRAME) for gap in (0.0, 0.5))
    assert len(opened.faces) < len(closed.faces)
    centres = opened.vertices[opened.faces].mean(axis=1)
    assert np.abs(np.arctan2(centres[:, 0], -centres[:, 1])).min() > 0.4


def test_cloth_follows_the_hips() -> None:
    body = _cylinder(0.15, 0.2, 1.3)
    quarter = np.array([[0, -1, 0, 1.0], [1, 0, 0, 2.0], [0, 0, 1, 0.5]])
    still = drape(_tube(), body, _FRAME)
    moved = drape(_tube(), body @ quarter[:, :3].T + quarter[:, 3], Frame(quarter, 0.0, 0.9, 0.5, 1.0, 0.0))
    np.testing.assert_allclose(moved.vertices, still.vertices @ quarter[:, :3].T + quarter[:, 3], atol=1e-4)
    np.testing.assert_allclose(moved.coords, still.coords, atol=1e-4)


def test_a_skirt_shows_the_parts_beneath_it() -> None:
    heights, front = np.array([0.2, -0.2, -0.39, -0.6]), np.zeros(4)
    assert part_at(heights, front, knee=-0.4).tolist() == [TORSO, UPPER_LEG, UPPER_LEG, LOWER_LEG]
    side = np.full(1, np.pi / 2)
    assert part_at(np.array([-0.05]), side, -0.4) == UPPER_LEG and part_at(np.array([-0.05]), 0 * side, -0.4) == TORSO
