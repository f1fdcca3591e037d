"""Division of regions among limbs: known figures, unsure joints, clothes, other people."""

from __future__ import annotations

import numpy as np
import pytest
from figures import SIZE, joints, parts

from pipeline.datasets.limb_regions import NAMES, silhouette
from pipeline.labelers.limbs.division import divide, outline
from sorn import metrics
from sorn.parts import FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG

PERSON = silhouette(parts() > 0)
LEGS = ("left_knee", "right_knee", "left_ankle", "right_ankle")


def without(*names: str) -> np.ndarray:
    """Joints of which some have no place, as OpenPifPaf writes them."""
    keypoints = joints(**dict.fromkeys(names, 0.0))
    keypoints[keypoints[:, 2] == 0] = 0
    return keypoints


def agreement(mask: np.ndarray) -> float:
    counts = np.bincount(parts().ravel().astype(int) * 8 + mask.ravel(), minlength=64).reshape(8, 8)
    return float(metrics.mean_iou(counts))


def test_a_silhouette_becomes_the_parts_that_it_shows() -> None:
    mask = divide(PERSON, joints(), 0.3)
    assert mask.dtype == np.uint8 and ((mask > 0) == (PERSON > 0)).all()
    assert agreement(mask) > 0.85


def test_rendered_people_become_their_parts() -> None:
    from pipeline.datasets.synped.plan import Size, make_plan
    from pipeline.datasets.synped.render import render

    plan = make_plan(Size(1, 3, 1, 1, 2, 1, 2, 2, 1, 1, 1, 2), seed=1)
    found = [render(plan, index) for index in range(3)]
    counts = np.zeros((8, 8), np.int64)
    for picture in found:
        mask = divide(silhouette(picture.mask > 0), picture.joints, 0.3)
        counts += np.bincount(picture.mask.ravel().astype(int) * 8 + mask.ravel(), minlength=64).reshape(8, 8)
    assert metrics.mean_iou(counts) > 0.65 and metrics.pixel_accuracy(counts) > 0.88


@pytest.mark.parametrize("keypoints", [joints(**dict.fromkeys(LEGS, 0.1)), without(*LEGS)])
def test_unsure_joints_take_their_pixels_away(keypoints: np.ndarray) -> None:
    """Of hidden legs, which a silhouette runs through, nothing becomes torso; the thigh that is near the hip stays."""
    mask = divide(PERSON, keypoints, 0.3)
    exact = parts()
    assert not mask[exact == LOWER_LEG].any() and not mask[exact == FOOT].any()
    assert (mask[18:46, 24:36] == TORSO).all() and (mask[50:56, 24:28] == UPPER_LEG).any()


def test_a_person_seen_from_behind_has_a_head() -> None:
    face = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    for keypoints in (joints(**dict.fromkeys(face, 0.05)), without(*face)):
        assert (divide(PERSON, keypoints, 0.3)[5:14, 26:34] == HEAD).all()
    unsure = (*face, "left_shoulder", "right_shoulder")
    assert not divide(PERSON, joints(**dict.fromkeys(unsure, 0.05)), 0.3)[5:14, 26:34].any()


def test_clothes_become_the_limbs_that_they_cover() -> None:
    """Trousers from the waist down, a shirt with long sleeves, bare hands, shoes and a face of their own."""
    exact, regions = parts(), np.zeros(SIZE, np.uint8)
    for part, name in (
        (HEAD, "head"), (TORSO, "upper clothing"), (UPPER_ARM, "upper clothing"), (LOWER_ARM, "upper clothing"),
        (UPPER_LEG, "lower clothing"), (LOWER_LEG, "lower clothing"), (FOOT, "foot"),
    ):  # fmt: skip
        regions[exact == part] = NAMES.index(name)
    regions[52:54, 16:21] = LOWER_ARM
    mask = divide(regions, joints(), 0.3)
    assert (mask[exact == HEAD] == HEAD).all() and (mask[exact == FOOT] == FOOT).all()
    assert set(np.unique(mask[exact == UPPER_ARM])) <= {UPPER_ARM, TORSO, LOWER_ARM}
    assert (mask[52:54, 16:21] == LOWER_ARM).all() and agreement(mask) > 0.88


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("arm", {UPPER_ARM, LOWER_ARM}),
        ("leg", {UPPER_LEG, LOWER_LEG}),
        ("lower clothing", {TORSO, UPPER_LEG, LOWER_LEG}),
        ("upper clothing", {TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG}),
        ("clothing", {TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG}),
    ],
)
def test_a_region_admits_its_own_parts_only(name: str, allowed: set[int]) -> None:
    mask = divide(np.full(SIZE, NAMES.index(name), np.uint8), joints(), 0.3)
    assert set(np.unique(mask)) == allowed


def test_pixels_of_another_person_are_left_out() -> None:
    both = np.maximum(parts(-14), parts(14))
    mask = divide(silhouette(both > 0), joints(-14), 0.3, [joints(14)])
    other = (parts(14) > 0) & (parts(-14) == 0)
    assert (mask[other] > 0).mean() < 0.1 and (mask[parts(-14) > 0] > 0).mean() > 0.9


def test_nothing_is_found_without_joints_or_silhouette() -> None:
    assert not divide(PERSON, np.zeros((17, 3)), 0.3).any()
    assert not divide(np.zeros(SIZE, np.uint8), joints(), 0.3).any()
    assert not outline(np.zeros((17, 3)), 0.3, SIZE).any()


def test_an_outline_surrounds_the_sure_limbs() -> None:
    found = outline(joints(), 0.3, SIZE)
    assert (found & (parts() > 0)).sum() / (found | (parts() > 0)).sum() > 0.7
    legs = outline(joints(**dict.fromkeys(LEGS, 0.1)), 0.3, SIZE)
    assert not legs[60:].any() and legs[20:40, 25:35].all()
