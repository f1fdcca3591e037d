"""Limbs by hand: a standing figure of stature 100, its limbs where a person has them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelers.limb_painting import HALF_WIDTH, map_limbs, paint, stature
from sorn.parts import FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG
from sorn.sample import JOINTS

FIGURE = {  # x, y in pixels, arms held out to the sides
    "nose": (50, 8),
    "left_shoulder": (60, 20),
    "right_shoulder": (40, 20),
    "left_elbow": (78.6, 20),
    "right_elbow": (21.4, 20),
    "left_wrist": (93.2, 20),
    "right_wrist": (6.8, 20),
    "left_hip": (58, 48.8),
    "right_hip": (42, 48.8),
    "left_knee": (58, 73.3),
    "right_knee": (42, 73.3),
    "left_ankle": (58, 97.9),
    "right_ankle": (42, 97.9),
}
EVERYWHERE = np.ones((104, 100), bool)


def pose(**changes: tuple[float, float] | None) -> np.ndarray:
    """[17, 3]: the figure's joints of confidence 0.9; a joint changed to None has 0.1, as those it does not name."""
    keypoints = np.zeros((17, 3))
    keypoints[:, 2] = 0.1
    for joint, place in {**FIGURE, **changes}.items():
        at = place or FIGURE[joint]
        keypoints[JOINTS.index(joint)] = (*at, 0.9 if place else 0.1)
    return keypoints


def without(*names: str) -> np.ndarray:
    return pose(**{joint: None for joint in FIGURE if any(name in joint for name in names)})


def at(mask: np.ndarray, x: float, y: float) -> int:
    return int(mask[int(y), int(x)])


def test_every_limb_is_where_it_belongs() -> None:
    mask = paint(EVERYWHERE, pose(), 0.5)
    for x, y, part in (
        (50, 5, HEAD),
        (50, 30, TORSO),
        (50, 21, TORSO),
        (70, 20, UPPER_ARM),
        (30, 21, UPPER_ARM),
        (88, 20, LOWER_ARM),
        (97, 20, LOWER_ARM),  # the hand, beyond the wrist
        (58, 62, UPPER_LEG),
        (41, 70, UPPER_LEG),
        (58, 76, LOWER_LEG),
        (42, 92, LOWER_LEG),
        (58, 100, FOOT),
        (42, 103, FOOT),
    ):
        assert at(mask, x, y) == part, (x, y)


def test_the_border_between_two_limbs_is_where_their_own_widths_put_it() -> None:
    """Below the middle of the head, halves of 0.075 and 0.06, the torso 0.5 behind: d / 7.5 = 0.5 + (12 - d) / 6."""
    mask = paint(EVERYWHERE, pose(), 0.5)
    border = (0.5 + 12 / 6) / (1 / 7.5 + 1 / 6)  # 8.33 below the head's middle at y = 8
    column = mask[8:20, 50].tolist()
    assert column == [HEAD if row + 0.5 < border else TORSO for row in range(12)] and border == pytest.approx(
        8.33, abs=0.01
    )


def test_nothing_is_painted_outside_the_silhouette_and_all_of_it_inside() -> None:
    silhouette = np.zeros((104, 100), bool)
    silhouette[10:50, 30:70] = True
    mask = paint(silhouette, pose(), 0.5)
    assert mask.dtype == np.uint8 and ((mask > 0) == silhouette).all()


def test_joints_that_are_not_sure_paint_nothing() -> None:
    mask = paint(EVERYWHERE, without("wrist", "knee", "ankle"), 0.5)
    assert set(np.unique(mask)) == {HEAD, TORSO, UPPER_ARM}
    assert set(np.unique(paint(EVERYWHERE, without("wrist", "knee", "ankle"), 0.1))) == set(range(1, 8))


def test_no_sure_joint_or_no_silhouette_is_background() -> None:
    assert not paint(EVERYWHERE, without(""), 0.5).any()
    assert not paint(np.zeros((9, 9), bool), pose(), 0.5).any()


def test_what_is_far_from_every_limb_is_torso() -> None:
    """A coat beside the leg, whose half width is 5.5 pixels here, three of which are FAR."""
    mask = paint(EVERYWHERE, pose(), 0.5)
    assert at(mask, 58 + 16, 65) == UPPER_LEG
    assert at(mask, 58 + 17, 65) == TORSO


def test_an_arm_before_the_torso_keeps_its_inner_half() -> None:
    hanging = pose(left_elbow=(50, 33), left_wrist=(50, 46))
    mask = paint(EVERYWHERE, hanging, 0.5)
    assert at(mask, 50, 40) == LOWER_ARM  # 0.5 from the bone; half of its half width is 1.75
    assert at(mask, 53, 40) == TORSO


def test_hidden_hips_leave_a_trunk_below_the_shoulders_and_hidden_shoulders_one_above_the_hips() -> None:
    """Without that, the arm and the legs would be nearer than the line between the joints that are seen."""
    hidden: dict[str, None] = dict.fromkeys(("left_hip", "right_hip", "left_knee", "right_knee"))
    mask = paint(EVERYWHERE, pose(left_elbow=(60, 38.6), left_wrist=None, **hidden), 0.5)
    assert at(mask, 55, 35) == TORSO and at(mask, 60, 35) == UPPER_ARM
    mask = paint(EVERYWHERE, without("nose", "shoulder", "elbow", "wrist"), 0.5)
    assert at(mask, 43, 42) == TORSO and at(mask, 43, 52) == UPPER_LEG


def test_the_head_of_a_person_seen_from_behind_lies_above_the_shoulders() -> None:
    mask = paint(EVERYWHERE, without("nose"), 0.5)
    assert at(mask, 50, 8) == HEAD and at(mask, 50, 2) == HEAD and at(mask, 50, 30) == TORSO
    assert HEAD not in paint(EVERYWHERE, without("nose", "left_shoulder"), 0.5)


def test_feet_point_along_the_shin() -> None:
    lifted = pose(left_ankle=(82, 73.3))  # the shin is horizontal
    mask = paint(EVERYWHERE, lifted, 0.5)
    assert at(mask, 85, 73) == FOOT and at(mask, 79, 73) == LOWER_LEG


def test_stature_is_the_median_of_what_the_bones_say() -> None:
    keypoints = pose()
    known = keypoints[:, 2] > 0.5
    assert stature(keypoints[:, :2], known, 7) == pytest.approx(100, abs=0.1)
    astray = pose(left_wrist=(300, 300))
    assert stature(astray[:, :2], known, 7) == pytest.approx(100, abs=0.5)
    assert stature(keypoints[:, :2], np.zeros(17, bool), 7) == 7


def test_joints_that_coincide_are_no_trouble() -> None:
    one_place = np.tile([5.0, 5.0, 1.0], (17, 1))
    assert paint(np.ones((10, 10), bool), one_place, 0.5).any()


def test_the_map_says_of_every_pixel_how_far_and_how_sure_its_limb_is() -> None:
    keypoints = pose(left_ankle=None)  # sure 0.9 at the knee, 0.1 at the ankle
    keypoints[: JOINTS.index("left_shoulder")] = keypoints[0]
    limbs = map_limbs(EVERYWHERE.shape, keypoints)
    column, knee, ankle = 58, 73.3, 97.9
    for row in (75, 85, 95):
        assert limbs.parts[row, column] == LOWER_LEG
        share = (row + 0.5 - knee) / (ankle - knee)
        assert limbs.confidence[row, column] == pytest.approx(0.9 - 0.8 * share)
        assert limbs.distance[row, column] == pytest.approx(0.5 / (HALF_WIDTH[LOWER_LEG] * 100), rel=0.01)
    assert limbs.parts[102, column] == FOOT and limbs.confidence[102, column] == pytest.approx(0.1)
    assert limbs.parts[30, 50] == TORSO and limbs.confidence[30, 50] == pytest.approx(0.9)


def test_doubtful_joints_keep_their_place_on_the_map() -> None:
    """A hidden limb is nearest where it is thought to be; `paint` gives its pixels to others."""
    keypoints = without("left_knee", "left_ankle")
    keypoints[: JOINTS.index("left_shoulder")] = keypoints[0]
    limbs, mask = map_limbs(EVERYWHERE.shape, keypoints), paint(EVERYWHERE, keypoints, 0.5)
    assert limbs.parts[90, 62] == LOWER_LEG and limbs.confidence[90, 62] < 0.5
    assert limbs.parts[90, 42] == LOWER_LEG and limbs.confidence[90, 42] > 0.5
    assert at(mask, 42, 90) == LOWER_LEG and at(mask, 66, 90) == TORSO  # farther than three half widths from any limb
