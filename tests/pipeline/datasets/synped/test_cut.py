"""Cut pictures: which, and where."""

import numpy as np

from pipeline.datasets.synped.cut import cut_box, cut_joints, find_cuts
from pipeline.datasets.synped.plan import SIZES, Size, make_plan


def test_every_person_of_a_gallery_is_cut_in_the_pictures_of_one_camera_and_met_by_others():
    plan = make_plan(SIZES["demo"], 0)
    cuts = find_cuts(plan)
    for gallery, folder in (("val_gallery", "val_query/cut"), ("gallery", "query/cut")):
        sources = [cut.source for cut in cuts if cut.folder == folder]
        people = {spec.pid for spec in plan.images if spec.split == gallery}
        assert {spec.split for spec in sources} == {gallery} and {spec.pid for spec in sources} == people
        assert len({(spec.pid, spec.camid) for spec in sources}) == len(people)
        seen = {(spec.pid, spec.camid) for spec in plan.images if spec.split == gallery}
        assert all(any(pid == spec.pid and camid != spec.camid for pid, camid in seen) for spec in sources)
    assert not any(cut.source.occluded for cut in cuts), "everybody has a picture without an obstacle"


def test_all_pictures_of_a_camera_are_cut_and_a_person_of_one_camera_is_left_out():
    plan = make_plan(Size(0, 0, 0, 0, 0, 3, 1, 4, 2, 1, 0, 0, test_cameras=2), 0)
    cuts = find_cuts(plan)
    assert len(cuts) == 3 * 2, "two of four pictures by one of two cameras; distractors have one picture each"


def test_boxes_keep_the_promised_shares_and_all_four_kinds_occur():
    width, height = 200, 400
    boxes = np.array([cut_box(3, index, width, height) for index in range(400)])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all() and (top >= 0).all() and (right <= width).all() and (bottom <= height).all()
    tall = right - left == width
    kept = (bottom - top)[tall] / height
    assert kept.min() >= 0.35 - 0.003 and kept.max() <= 0.7 + 0.003
    assert 0.65 < tall.mean() < 0.85 and 0.4 < (tall & (top == 0)).mean() < 0.6
    beside = (right - left)[~tall] / width
    assert beside.min() >= 0.5 - 0.003 and beside.max() <= 0.75 + 0.003
    assert (bottom[~tall] / height).min() >= 0.6 - 0.003 and {0} < set(left[~tall]) and (right[~tall] < width).any()
    assert (boxes == [cut_box(3, index, width, height) for index in range(400)]).all()
    assert (boxes != [cut_box(4, index, width, height) for index in range(400)]).any(axis=1).mean() > 0.5


def test_joints_move_with_the_picture_and_vanish_outside():
    joints = np.zeros((17, 3), np.float32)
    joints[0], joints[1], joints[2] = (30, 40, 1), (30, 120, 1), (5, 40, 1)
    moved = cut_joints(joints, (10, 20, 60, 110))
    assert moved[0].tolist() == [20, 20, 1] and moved[1].tolist() == [20, 100, 0] and moved[2].tolist() == [-5, 20, 0]
