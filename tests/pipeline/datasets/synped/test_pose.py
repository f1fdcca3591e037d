"""Poses: mirrored limbs, lengths that stay, soles on the ground, the textbook gait."""

from dataclasses import replace

import numpy as np

from pipeline.datasets.synped.body import SEGMENT, SEGMENTS, Phenotype, rest
from pipeline.datasets.synped.gesture import draw_gesture, draw_walk
from pipeline.datasets.synped.pose import Arm, Leg, Pose, bind, skin, transforms

_BODY = rest(Phenotype(female=False))
_ARM, _LEG = Arm(0.0, 0.1, 0.2, 0.0, 0.4), Leg(0.0, 0.03, 0.0, 0.0, 0.1)
_STANDING = Pose(_ARM, _ARM, _LEG, _LEG)


def _joint(pose: Pose, segment: str, name: str) -> np.ndarray:
    transform = transforms(_BODY, pose)[SEGMENT[segment]]
    return transform[:, :3] @ _BODY.joints[name] + transform[:, 3]


def test_transforms_are_rigid() -> None:
    matrices = transforms(_BODY, replace(_STANDING, lean=0.2, twist=0.3, glance=0.5))
    assert matrices.shape == (len(SEGMENTS), 3, 4)
    for matrix in matrices[:, :, :3]:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-5)
        assert np.linalg.det(matrix) > 0


def test_a_symmetric_pose_is_its_own_mirror_image() -> None:
    for name in ("hand", "elbow", "knee", "ankle"):
        segment = {"hand": "hand", "elbow": "lowerarm", "knee": "lowerleg", "ankle": "foot"}[name]
        left, right = (_joint(_STANDING, f"{segment}.{s}", f"joint-{s.lower()}-{name}") for s in ("L", "R"))
        np.testing.assert_allclose(left, right * [-1, 1, 1], atol=2e-3)


def test_limbs_go_where_they_are_told() -> None:
    ahead = replace(_STANDING, left_arm=Arm(np.pi / 2, 0.0, 0.0, 0.0, 0.0))
    shoulder, hand = (_joint(ahead, f"{s}.L", f"joint-l-{n}") for s, n in (("upperarm", "shoulder"), ("hand", "hand")))
    direction = (hand - shoulder) / np.linalg.norm(hand - shoulder)
    np.testing.assert_allclose(direction, [0, -1, 0], atol=0.03)
    step = replace(_STANDING, left_leg=Leg(0.5, 0.0, 0.0, 0.0, 0.0))
    assert _joint(step, "foot.L", "joint-l-ankle")[1] < _joint(_STANDING, "foot.L", "joint-l-ankle")[1] - 0.2
    kneeling = replace(_STANDING, left_leg=Leg(0.0, 0.0, 1.5, 0.0, 0.0))
    assert _joint(kneeling, "foot.L", "joint-l-ankle")[1] > _joint(_STANDING, "foot.L", "joint-l-ankle")[1] + 0.2


def test_fingers_curl_into_the_palm() -> None:
    """The arm hangs: a curled hand ends higher than a flat one and nearer to the thigh."""
    flat, curled = (
        _joint(replace(_STANDING, left_arm=replace(_ARM, curl=curl)), "fingertips.L", "joint-l-finger-3-4")
        for curl in (0.0, 1.0)
    )
    assert curled[2] > flat[2] + 0.01
    assert curled[0] < flat[0]


def test_feet_stay_flat_whatever_the_leg_does() -> None:
    for swing in (-0.4, 0.0, 0.4):
        foot = transforms(_BODY, replace(_STANDING, left_leg=Leg(swing, 0.0, 0.3, 0.0, 0.0)))[SEGMENT["foot.L"]]
        np.testing.assert_allclose(foot[2, :3], [0, 0, 1], atol=1e-5)


def test_skinning_of_one_bone_is_its_transform_and_of_two_their_mean() -> None:
    segments = np.tile(np.eye(3, 4, dtype=np.float32), (len(SEGMENTS), 1, 1))
    segments[1, :, 3] = [2, 0, 0]
    weights = np.zeros((3, len(SEGMENTS)), dtype=np.float32)
    weights[0, 0], weights[1, 1], weights[2, :2] = 1, 1, 0.5
    moved = skin(bind(np.ones((3, 3), dtype=np.float32), weights), segments)
    np.testing.assert_allclose(moved, [[1, 1, 1], [3, 1, 1], [2, 1, 1]])


def test_a_walk_has_one_leg_ahead_and_the_other_arm() -> None:
    for seed in range(30):
        left, right, stride = draw_walk(np.random.default_rng(seed))
        assert min(left.bend, right.bend) >= 0
        assert (left.swing - right.swing) * stride <= 0  # the left arm swings against the left leg


def test_a_bag_stays_in_its_hand() -> None:
    poses = [draw_gesture(np.random.default_rng(seed), "R", backpack=False) for seed in range(60)]
    assert all(pose.held_right == "bag" for pose in poses)
    assert {pose.held_left for pose in poses} <= {"", "phone", "bottle"}
    free = [draw_gesture(np.random.default_rng(seed), "", backpack=True) for seed in range(60)]
    assert not any("bag" in (pose.held_left, pose.held_right) for pose in free)
