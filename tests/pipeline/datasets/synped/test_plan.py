"""The plan: splits, shares, cameras, look-alikes."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.synped.plan import SIZES, make_plan

GROUP_OF = {"train": "train", "val_query": "val", "val_gallery": "val", "labeler": "labeler"}


@pytest.fixture(scope="module", params=["demo", "full"])
def plan(request):
    return make_plan(SIZES[request.param], seed=3)


def of(plan, split):
    return [image for image in plan.images if image.split == split]


def test_indices_are_positions_and_splits_are_known(plan):
    assert [image.index for image in plan.images] == list(range(len(plan.images)))
    assert {image.split for image in plan.images} == set(SPLITS)


def test_nobody_is_in_two_groups(plan):
    groups = defaultdict(set)
    for image in plan.images:
        groups[image.pid].add(GROUP_OF.get(image.split, "test"))
    assert all(len(found) == 1 for found in groups.values())
    assert set(groups) == set(plan.groups)


def test_occluded_shares_are_those_of_occluded_dukemtmc(plan):
    share = {split: np.mean([image.occluded for image in of(plan, split)]) for split in SPLITS}
    assert share["query"] == share["val_query"] == 1
    assert share["train"] == pytest.approx(0.09, abs=0.005)
    assert share["gallery"] == pytest.approx(0.10, abs=0.005)
    assert share["val_gallery"] == pytest.approx(0.10, abs=0.01)


def test_every_query_has_a_match_from_another_camera(plan):
    for query, gallery in (("query", "gallery"), ("val_query", "val_gallery")):
        cameras = defaultdict(set)
        for image in of(plan, gallery):
            cameras[image.pid].add(image.camid)
        assert all(cameras[image.pid] - {image.camid} for image in of(plan, query))


def test_cameras_are_shared_but_the_labeler_has_its_own(plan):
    cameras = {split: {image.camid for image in of(plan, split)} for split in SPLITS}
    assert cameras["train"] == set(range(1, plan.size.train_cameras + 1))
    assert cameras["query"] == cameras["gallery"] == set(range(1, plan.size.test_cameras + 1)) <= cameras["train"]
    assert cameras["val_query"] | cameras["val_gallery"] <= cameras["query"]
    assert not cameras["labeler"] & cameras["train"]


def test_distractors_are_in_the_gallery_only(plan):
    distractors = {pid for pid, group in plan.groups.items() if group == "distractor"}
    assert len(distractors) == plan.size.distractor_ids
    assert {image.split for image in plan.images if image.pid in distractors} == {"gallery"}


def test_look_alikes_stay_in_their_group_and_resemble_ordinary_people(plan):
    merged = {pid: "test" if group == "distractor" else group for pid, group in plan.groups.items()}
    assert 0.1 < len(plan.look_alike) / len(plan.groups) < 0.4
    for pid, other in plan.look_alike.items():
        assert merged[pid] == merged[other]
        assert other not in plan.look_alike
    assert {"train", "test"} <= {merged[pid] for pid in plan.look_alike}


def test_sizes():
    counts = {name: Counter(image.split for image in make_plan(size, 0).images) for name, size in SIZES.items()}
    assert sum(counts["demo"].values()) <= 2000
    assert counts["demo"]["labeler"] == 400 and counts["full"]["labeler"] == 1500
    full = SIZES["full"]
    assert full.train_ids >= 1000
    assert full.train_images >= 8
    assert full.test_ids >= 200
    large = SIZES["large"]
    assert large.train_ids >= 4000 and large.train_cameras == 2 * full.train_cameras
    assert large.train_occluded > full.train_occluded
    assert (SIZES["demo"].train_cameras, full.train_cameras, full.test_cameras) == (8, 24, 8)


def test_the_test_alone_is_as_large_as_that_of_the_full_size():
    alone, full = make_plan(SIZES["test"], 1), make_plan(SIZES["full"], 0)
    assert {image.split for image in alone.images} == {"query", "gallery"}
    for split in ("query", "gallery"):
        mine, theirs = of(alone, split), of(full, split)
        assert len(mine) == len(theirs)
        assert sum(image.occluded for image in mine) == sum(image.occluded for image in theirs)
        assert {image.camid for image in mine} == set(range(1, 9))


def test_another_seed_is_another_plan_and_the_same_seed_the_same():
    size = SIZES["demo"]
    assert make_plan(size, 1).images != make_plan(size, 2).images
    again = make_plan.__wrapped__(size, 1)
    assert again.images == make_plan(size, 1).images
    assert again.look_alike == make_plan(size, 1).look_alike
