"""The crop's person among several skeletons and silhouettes."""

from __future__ import annotations

import numpy as np
from figures import SIZE, joints, parts

from pipeline.datasets.coco.skeletons import FoundPose
from pipeline.datasets.limb_regions import silhouette
from pipeline.labelers.limbs.choice import Picked, pick


def found(candidates: list[np.ndarray], *poses: FoundPose) -> Picked:
    picked = pick([silhouette(one > 0) for one in candidates], poses, 0.3)
    assert picked is not None
    return picked


def is_at(picked: Picked, right: float) -> bool:
    return np.allclose(picked.keypoints, joints(right))


def test_the_skeleton_on_the_silhouette_comes_before_the_one_in_the_middle() -> None:
    picked = found([parts(20)], FoundPose(joints(0)), FoundPose(joints(20)))
    assert is_at(picked, 20) and picked.people == 2 and picked.clear and picked.others == ()


def test_the_silhouette_that_fits_the_skeleton_is_taken() -> None:
    """SAM finds everything: the wall behind, a head, the person."""
    head = np.where(parts() == 1, 1, 0)
    picked = found([parts() == 0, head, parts(), np.ones(SIZE)], FoundPose(joints()))
    assert np.array_equal(picked.regions > 0, parts() > 0) and picked.clear and picked.people == 1
    left, top, right, bottom = picked.box
    assert 0.2 < left < 0.35 and top < 0.1 and 0.65 < right < 0.8 and bottom > 0.9 and picked.score == 1


def test_two_people_in_one_silhouette_are_several() -> None:
    both = np.maximum(parts(-14), parts(14))
    picked = found([both], FoundPose(joints(-14)), FoundPose(joints(14)))
    assert picked.people == 2 and not picked.clear and len(picked.others) == 1


def test_a_person_found_twice_is_one() -> None:
    again = joints(0.5)
    again[:, 2] = 0.6
    picked = found([parts()], FoundPose(again), FoundPose(joints()))
    assert picked.people == 1 and picked.clear and is_at(picked, 0) and picked.others == ()


def test_the_person_that_the_file_names_comes_first() -> None:
    picked = found([np.maximum(parts(-14), parts(14))], FoundPose(joints(-14)), FoundPose(joints(14), target=True))
    assert is_at(picked, 14) and picked.people == 2 and picked.clear and len(picked.others) == 1


def test_joints_off_the_silhouette_are_nobody() -> None:
    far = np.zeros(SIZE)
    far[:12, :12] = 1
    assert pick([silhouette(far > 0)], [FoundPose(joints(10))], 0.3) is None
    assert pick([silhouette(parts() > 0)], [FoundPose(joints(confidence=0.1))], 0.3) is None
    assert pick([silhouette(parts() > 0)], [], 0.3) is None


def test_a_head_above_an_obstacle_is_somebody() -> None:
    seen = np.where(parts() == 1, 1, 0)
    picked = found([seen], FoundPose(joints()))
    assert is_at(picked, 0)
