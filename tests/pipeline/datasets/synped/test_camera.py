"""Views, boxes and cameras."""

import numpy as np
import pytest

from pipeline.datasets.synped.camera import Box, box_around, cut, draw_camera, jitter, look_at
from pipeline.datasets.synped.style import STYLES


def test_a_ray_through_a_projected_point_points_at_it():
    view = look_at(np.array([0.3, -0.2, 3.0]), np.array([1.0, 8.0, 0.9]), 0.02)
    points = np.array([[1.0, 8.0, 0.9], [0.2, 7.5, 1.7], [1.6, 8.4, 0.0]])
    tangents = view.project(points)
    assert tangents[0] == pytest.approx([0, 0], abs=1e-5)
    for point, (x, y) in zip(points, tangents, strict=True):
        ray = view.rays(np.array([x]), np.array([y])).directions[0]
        towards = (point - view.eye) / np.linalg.norm(point - view.eye)
        assert ray == pytest.approx(towards, abs=1e-4)


def test_rays_of_a_view_are_shifted_row_by_row_and_as_long_as_they_say():
    view = look_at(np.array([0.3, -0.2, 3.0]), np.array([1.0, 8.0, 0.9]), 0.02)
    x, y, shifts = np.linspace(-0.2, 0.3, 4), np.linspace(-0.4, 0.1, 3), np.array([0.01, -0.01, 0.02])
    rays = view.rays(x, y, shifts)
    assert rays.shape == (3, 4)
    places = view.project(view.eye + 5 * rays.directions.astype(np.float64))
    assert places[:, 0].reshape(3, 4) == pytest.approx(x + shifts[:, None], abs=1e-6)
    assert places[:, 1].reshape(3, 4) == pytest.approx(np.tile(y[:, None], 4), abs=1e-6)
    assert rays.lengths * (rays.directions @ view.forward) == pytest.approx(1, abs=1e-6)


def test_right_is_right_and_down_is_down():
    view = look_at(np.array([0, 0, 1.0]), np.array([0, 5.0, 1.0]), 0.0)
    assert view.project(np.array([[1.0, 5.0, 0.0]]))[0] == pytest.approx([0.2, 0.2], abs=1e-6)


def test_pixel_centres_divide_the_box_evenly():
    x, y = Box(0.0, -1.0, 4.0, 1.0).centres(rows=2, columns=4)
    assert x == pytest.approx([0.5, 1.5, 2.5, 3.5])
    assert y == pytest.approx([-0.5, 0.5])


def test_boxes_are_tight_then_jittered_like_a_detectors():
    tight = box_around(np.array([[-0.03, -0.1], [0.04, 0.12], [0.0, 0.0]]))
    assert (tight.left, tight.top, tight.right, tight.bottom) == (-0.03, -0.1, 0.04, 0.12)
    rng = np.random.default_rng(0)
    boxes = [jitter(tight, rng) for _ in range(300)]
    ratios = np.array([box.height / box.width for box in boxes])
    assert 1.8 < ratios.min() < ratios.max() < 4
    feet = np.array([box.bottom < tight.bottom for box in boxes])
    assert 0.05 < feet.mean() < 0.5  # sometimes cut off, mostly not
    assert all(box.bottom > tight.bottom - 0.06 * tight.height for box in boxes)


def test_a_cut_box_keeps_its_middle():
    whole = Box(-0.1, -0.3, 0.1, 0.3)
    part = cut(whole, np.random.default_rng(1), 0.25, 0.5)
    assert (part.top, part.bottom) == (pytest.approx(-0.15), pytest.approx(0.0))
    assert part.left + part.right == pytest.approx(0.0)


@pytest.mark.parametrize("name", STYLES)
def test_a_camera_is_a_function_of_its_generator_and_its_response_is_mild(name):
    style = STYLES[name]
    cameras = [draw_camera(np.random.default_rng([5, camid]), camid, style) for camid in range(1, 60)]
    assert cameras == [draw_camera(np.random.default_rng([5, camid]), camid, style) for camid in range(1, 60)]
    assert {camera.place for camera in cameras[: len(style.places)]} == set(style.places)
    for camera in cameras:
        assert 1.2 <= camera.height <= (style.mounting.low[1] if camera.place in style.low else 5)
        assert all(0.85 < gain < 1.15 for gain in camera.response.balance)
        assert style.optics.quality[0] <= camera.response.quality <= style.optics.quality[1]
