"""Obstacles: kinds per split, and whether each can do its work."""

import numpy as np
import pytest

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.synped import obstacles, style
from pipeline.datasets.synped.camera import box_around, look_at
from pipeline.datasets.synped.materials import paint
from pipeline.datasets.synped.raycast import Scene
from pipeline.datasets.synped.shot import HIDDEN, hidden_share
from pipeline.datasets.synped.solids import box
from sorn.parts import TORSO

EYE, FEET, CHEST = np.array([0.0, 0.0, 1.6]), np.array([0.0, 6.0, 0.0]), np.array([0.0, 6.0, 0.9])


def dummy(part=0):
    """A slab as large as a person."""
    mesh = box((0.45, 0.25, 1.7), (0, 0, 0.85), paint((90, 90, 90)))
    mesh.part[:] = part
    return Scene(mesh)


def test_train_test_labeler_and_foreign_obstacles_are_of_other_kinds():
    groups = [set(kinds) for kinds in (style.TRAIN_KINDS, style.TEST_KINDS, style.LABELER_KINDS, style.ABROAD_KINDS)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert set.union(*groups) == set(obstacles.KINDS)
    assert set(style.HOME.obstacles) == set(SPLITS)
    for seen, unseen in (("train", "query"), ("train", "gallery"), ("train", "val_query"), ("val_query", "query")):
        assert not set(style.HOME.obstacles[seen]) & set(style.HOME.obstacles[unseen])


@pytest.mark.parametrize("name", obstacles.KINDS)
def test_every_kind_can_hide_a_useful_share(name):
    kind, rng = obstacles.KINDS[name], np.random.default_rng(7)
    target = dummy(TORSO).placed(0.0, FEET)
    view = look_at(EYE, CHEST, 0.0)
    around = box_around(view.project(target.to_world(target.mesh.vertices)))
    shares = []
    for attempt in range(30):
        if attempt % 6 == 0:
            thing = kind.build(rng, dummy)
            assert not thing.mesh.part.any(), "an obstacle is background"
            if kind.stance != "held":
                assert -0.15 < thing.mesh.vertices[:, 2].min() < 0.2, "stands on the ground"
        placed = obstacles.place(kind, thing, EYE, FEET, rng)
        corners = placed.to_world(thing.mesh.vertices)
        assert corners[:, 1].min() > EYE[1], "is not behind the camera"
        shares.append(hidden_share(target, [placed], view, around))
    assert any(HIDDEN[0] < share < HIDDEN[1] for share in shares), shares


def test_what_stands_behind_hides_nothing():
    rng = np.random.default_rng(3)
    target = dummy(TORSO).placed(0.0, FEET)
    view = look_at(EYE, CHEST, 0.0)
    around = box_around(view.project(target.to_world(target.mesh.vertices)))
    for _ in range(20):
        yaw, where = obstacles.behind(EYE, FEET, rng, (0.9, 5.0))
        assert hidden_share(target, [dummy().placed(yaw, where)], view, around) == 0


def test_the_hidden_share_is_measured_by_hand():
    target = dummy(TORSO).placed(0.0, FEET)
    view = look_at(EYE, CHEST, 0.0)
    around = box_around(view.project(target.to_world(target.mesh.vertices)))
    left_half = Scene(box((5, 0.01, 10), (-2.5, 3, 0), paint((0, 0, 0))))  # all that is left of the axis
    assert hidden_share(target, [left_half], view, around) == pytest.approx(0.5, abs=0.04)
    assert hidden_share(target, [], view, around) == 0
