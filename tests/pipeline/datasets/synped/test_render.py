"""Rendered pictures: exact masks, joints, shares, and dependence on nothing but seed and index."""

import numpy as np
import pytest

from pipeline.datasets.synped.plan import SIZES, Size, make_plan
from pipeline.datasets.synped.render import render
from pipeline.datasets.synped.shot import (
    CLEAR,
    HIDDEN,
    STANDING,
    WANTED_IN_GALLERY,
    camera_of,
    identity,
    passers_by,
    standing,
)
from pipeline.datasets.synped.style import STYLES
from sorn.parts import CLASSES, FOOT, HEAD

TINY = Size(1, 3, 1, 1, 2, 1, 2, 2, 1, 1, 1, 2, train_occluded=0.34)


@pytest.fixture(scope="module")
def plan():
    return make_plan(TINY, seed=1)


@pytest.fixture(scope="module")
def pictures(plan):
    return [render(plan, index) for index in range(len(plan.images))]


def test_image_and_mask_agree_in_size_and_type(pictures):
    for picture in pictures:
        assert picture.image.dtype == picture.mask.dtype == np.uint8
        assert picture.image.shape == (*picture.mask.shape, 3)
        assert 96 <= picture.mask.shape[0] <= 320
        assert picture.mask.max() < len(CLASSES)
        assert 0.02 < (picture.mask > 0).mean() < 0.9


def test_a_clear_person_is_whole_and_upright(plan, pictures):
    for spec, picture in zip(plan.images, pictures, strict=True):
        rows = {part: np.flatnonzero((picture.mask == part).any(axis=1)) for part in (HEAD, FOOT)}
        if not spec.occluded and len(rows[HEAD]) and len(rows[FOOT]):
            assert rows[HEAD].mean() < rows[FOOT].mean()


def test_occluded_pictures_hide_a_share_and_the_others_do_not(plan, pictures):
    for spec, picture in zip(plan.images, pictures, strict=True):
        if spec.occluded:
            assert HIDDEN[0] <= picture.hidden <= HIDDEN[1], spec
        else:
            assert picture.hidden <= CLEAR, spec


def test_gallery_pictures_hide_less_than_queries():
    """A tenth beside what is aimed at still counts."""
    plan = make_plan(Size(0, 0, 0, 0, 0, 1, 1, 3, 0, 0, 0, 0, gallery_occluded=1.0), seed=1)
    for spec in plan.images[1:]:
        assert HIDDEN[0] <= render(plan, spec.index).hidden <= WANTED_IN_GALLERY[1] + 0.1


def test_visible_joints_lie_on_the_person(pictures):
    on_body = []
    for picture in pictures:
        assert picture.joints.shape == (17, 3)
        for x, y, visible in picture.joints:
            if visible:
                on_body.append(picture.mask[int(y), int(x)] > 0)
    assert np.mean(on_body) > 0.9  # a bag may hang in front of a joint
    assert len(on_body) > 5 * len(pictures)


def test_pictures_are_neither_black_nor_white(pictures):
    means = np.array([picture.image.mean() / 255 for picture in pictures])
    assert ((means > 0.15) & (means < 0.85)).all()
    assert np.mean([picture.image.std() / 255 for picture in pictures]) > 0.12


def test_a_picture_does_not_depend_on_what_was_rendered_before(plan, pictures):
    for index in (len(plan.images) - 1, 0):
        again = render(plan, index)
        assert np.array_equal(again.image, pictures[index].image)
        assert np.array_equal(again.mask, pictures[index].mask)
        assert np.array_equal(again.joints, pictures[index].joints)


def test_another_seed_is_another_picture(plan, pictures):
    assert not np.array_equal(render(make_plan(TINY, seed=2), 0).image, pictures[0].image)


def test_another_style_is_another_world_for_the_same_plan(plan, pictures):
    abroad = make_plan(TINY, 1, "abroad")
    assert abroad.images == plan.images
    query = next(spec for spec in plan.images if spec.split == "query")
    assert camera_of(plan, query.camid)[0].place in STYLES["home"].places
    assert camera_of(abroad, query.camid)[0].place in STYLES["abroad"].places
    assert identity(abroad, query.pid).phenotype == identity(plan, query.pid).phenotype
    assert identity(abroad, query.pid).outfit != identity(plan, query.pid).outfit
    picture = render(abroad, query.index)
    assert HIDDEN[0] <= picture.hidden <= HIDDEN[1]
    assert 0.02 < (picture.mask > 0).mean() < 0.9
    assert not np.array_equal(picture.image, pictures[query.index].image)


def test_the_same_things_stand_before_a_camera_in_every_picture_of_a_split(plan):
    kinds, stances = STYLES["home"].obstacles["query"], STYLES["home"].stances
    found = [standing(plan.seed, camid, kinds, stances, number) for camid in (1, 2) for number in range(STANDING)]
    standing.cache_clear()
    for (kind, thing), (camid, number) in zip(found, [(c, n) for c in (1, 2) for n in range(STANDING)], strict=True):
        again, the_same = standing(plan.seed, camid, kinds, stances, number)
        assert again == kind and np.array_equal(the_same.mesh.vertices, thing.mesh.vertices)
        assert kind.stays, "people walk on"
    shapes = {thing.mesh.vertices.tobytes() for _, thing in found}
    assert len(shapes) == len(found), "every camera has things of its own"


def test_passers_by_are_people_of_the_same_group():
    plan = make_plan(SIZES["demo"], seed=1)
    for group, groups in {"train": {"train"}, "test": {"test", "distractor"}, "labeler": {"labeler"}}.items():
        pids = passers_by(plan, group)
        assert len(pids) == len(set(pids)) == 24
        assert {plan.groups[pid] for pid in pids} == groups
    street = make_plan(Size(500, 1, 0, 0, 0, 4, 1, 2, 0, 0, 0, 0), seed=1, style="street")
    assert len(set(passers_by(street, "train"))) == STYLES["street"].strangers
