"""Styles: home is what was always rendered, abroad shares no place, no obstacle and no thing with it."""

import pytest

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.synped.fashion import ABROAD, HOME
from pipeline.datasets.synped.obstacles import KINDS
from pipeline.datasets.synped.plan import SIZES, make_plan
from pipeline.datasets.synped.shot import camera_of, identity
from pipeline.datasets.synped.style import STYLES
from pipeline.datasets.synped.texture import KINDS as FABRICS
from pipeline.datasets.synped.texture import NEUTRALS


def test_home_draws_what_is_in_the_folders_rendered_so_far():
    """Numbers of the demo of renderer version 2: where they change, its pictures do, and the version must."""
    plan = make_plan(SIZES["demo"], 0)
    camera, _, _ = camera_of(plan, 3)
    assert (camera.place, camera.response.quality) == ("corridor", 83)
    assert (camera.height, camera.pixels) == pytest.approx((2.008427, 100.408511), abs=1e-5)
    assert (camera.response.contrast, camera.response.noise) == pytest.approx((1.161960, 0.006269860), abs=1e-6)
    person = identity(plan, 1)
    (dress,) = person.outfit.tops
    assert (dress.kind, dress.cloth.fabric.kind, dress.cloth.fabric.seed) == ("dress", "flowers", 1065020696)
    assert person.outfit.bottom.cloth.fabric.colours[0] == pytest.approx((0.045748, 0.034970, 0.028739), abs=1e-5)
    assert (person.outfit.shoes.kind, person.bag.kind, person.bag.side) == ("sneakers", "hand", "R")


def test_abroad_shares_nothing_with_home():
    home, abroad = STYLES["home"], STYLES["abroad"]
    assert len(abroad.places) >= 4 and not set(abroad.places.values()) & set(home.places.values())
    assert not set(abroad.outdoor + abroad.indoor) & set(home.outdoor + home.indoor)
    kinds = {name: {kind for split in style.obstacles.values() for kind in split} for name, style in STYLES.items()}
    assert not kinds["home"] & kinds["abroad"] and kinds["home"] | kinds["abroad"] == set(KINDS)


def test_the_street_hides_people_of_train_by_more_things_and_leaves_val_and_test_as_they_are():
    home, street = STYLES["home"], STYLES["street"]
    assert set(street.obstacles["train"]) > set(home.obstacles["train"])
    assert not set(street.obstacles["train"]) & set(street.obstacles["query"])
    assert all(street.obstacles[split] == home.obstacles[split] for split in SPLITS if split != "train")
    assert dict(street.stances)["side"] > dict(home.stances)["side"]
    for style in STYLES.values():
        assert sum(share for _, share in style.stances) == pytest.approx(1)


def test_both_fashions_cut_the_same_garments_of_known_fabrics():
    assert ABROAD.patterns.keys() == HOME.patterns.keys()
    for fashion in (HOME, ABROAD):
        assert set(NEUTRALS) | {"black", *fashion.bottoms[0], *fashion.outer[0]} <= fashion.palette.keys()
        assert sum(fashion.weather) == pytest.approx(1) and sum(fashion.jeans) == pytest.approx(1)
        assert fashion.printed.keys() <= fashion.patterns.keys()
        for chances in fashion.patterns.values():
            assert chances.keys() <= FABRICS.keys() and sum(chances.values()) <= 1


def test_low_places_are_places():
    for style in STYLES.values():
        assert set(style.low) < set(style.places)
