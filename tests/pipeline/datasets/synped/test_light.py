"""Light on surfaces whose brightness is known by hand."""

import numpy as np
import pytest

from pipeline.datasets.synped.camera import Box, look_at
from pipeline.datasets.synped.light import Light, shade
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.raycast import Scene, trace
from pipeline.datasets.synped.solids import box

HALF = Surface(lambda p: np.full((len(p), 3), 0.5, np.float32))
SIDE = 40


def light(sun_colour=0.0, spread=0.001):
    zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    sun = np.array([-1, 0, 1], np.float32) / np.float32(np.sqrt(2))
    return Light(sun, sun_colour * one, spread, 50.0, one, zero, 5.0, np.array([1, 0, 0], np.float32), 0.0, one, 1e9)


def seen_from_above(scenes, lamp):
    """Radiance [SIDE, SIDE] of x within +-2 (columns) from 10 m above."""
    view = look_at(np.array([0, -0.01, 10.0]), np.array([0, 0, 0.0]), 0.0)
    x, y = Box(-0.2, -0.2, 0.2, 0.2).centres(SIDE, SIDE)
    shaded = shade(scenes, trace(scenes, view.rays(x, y)), lamp, np.random.default_rng(0))
    return shaded.radiance.reshape(SIDE, SIDE, 3)


def ground():
    return Scene(box((50, 50, 1), (0, 0, -0.5), HALF))


def test_open_ground_under_an_overcast_sky_reflects_its_albedo():
    assert seen_from_above([ground()], light()) == pytest.approx(0.5, abs=1e-4)


def test_the_sun_adds_the_cosine_of_its_height():
    assert seen_from_above([ground()], light(sun_colour=2.0)) == pytest.approx(0.5 * (1 + 2 / np.sqrt(2)), abs=1e-2)


def test_a_block_throws_its_shadow_away_from_the_sun_and_darkens_the_ground_at_its_foot():
    block = Scene(box((0.4, 0.4, 0.4), (0, 0, 0.2), HALF))
    picture = seen_from_above([block, ground()], light(sun_colour=2.0))[..., 0]
    row = picture[SIDE // 2]
    column = {x: int((x + 2) / 4 * SIDE) for x in (-0.8, 0.4, 0.9, 1.5)}
    assert row[column[0.4]] < 0.5  # in the shadow, near the foot: not even the whole sky
    assert row[column[0.9]] > 1.1  # the shadow of a block 0.4 m high ends at 0.6
    assert row[column[-0.8]] > 1.1
    overcast = seen_from_above([block, ground()], light())[..., 0][SIDE // 2]
    assert overcast[column[0.4]] < 0.95 * overcast[column[1.5]]
