"""Labeler `limbs`: several people, small images, options and freshness."""

from __future__ import annotations

import numpy as np
import pytest
from figures import joints, parts, person
from limb_shop import OUTLINE, Shop

from pipeline.errors import LostFile, UserError
from sorn.sample import Status


def test_people_in_one_crop(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.write("joints.json", [person("a.jpg", joints(-20)), person("a.jpg")])
    found = shop.label()
    assert (found.status, found.people) == (Status.OK, 2)
    shop.write("masks/images/0001/a.png", np.maximum(parts(-14), parts(14)).astype(bool))
    shop.write("joints.json", [person("a.jpg", joints(-14)), person("a.jpg", joints(14))])
    found = shop.label()
    assert (found.status, found.people) == (Status.SEVERAL_PEOPLE, 2)
    shop.write("joints.json", [person("a.jpg", joints(-14), score=0.1), person("a.jpg", joints(14))])
    assert shop.label().people == 1
    shop.records.append(shop.add("0001/b.jpg"))
    shop.write("joints.json", [person("b.jpg")])
    found = shop.label()
    assert (found.status, found.people) == (
        Status.EMPTY,
        0,
    ) and "1 of 2 images have no joints and are empty" in caplog.text


def test_small_images_are_named(shop: Shop) -> None:
    assert shop.label(low_resolution=101).status == Status.LOW_RESOLUTION


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"joints": ""}, r"joints = '': expected a JSON, a folder or a CSV"),
        ({"joints": "j.json"}, r"silhouettes = '': expected their JSON or folder"),
        (
            {"joints": "j.json", "silhouettes": "s", "outline": "box"},
            r"outline = 'box': expected one of silhouette, limbs",
        ),
        ({"joints": "j.json", "silhouettes": "s", "joints_pattern": "x.json"}, r"joints_pattern = 'x\.json': expected"),
        (
            {"joints": "j.json", "silhouettes": "s", "joint_confidence": 1.5},
            r"joint_confidence = 1\.5: expected a number in",
        ),
        (
            {"joints": "j.json", "silhouette": "s"},
            r"unknown key 'masks\.options\.silhouette'\. Did you mean silhouettes\?",
        ),
    ],
)
def test_options_out_of_range(shop: Shop, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        shop.labeler(**options)


def test_contents_decide_what_is_fresh(shop: Shop) -> None:
    given: dict[str, object] = {"joints": str(shop.root / "joints.json"), "silhouettes": str(shop.root / "masks")}
    labeler = shop.labeler(**given)
    before = labeler.inputs(shop.records)
    assert set(before) == {"joints", "silhouettes"}
    shop.write("joints.json", [person("a.jpg", joints(1))])
    after = shop.labeler(**given).inputs(shop.records)
    assert after["joints"] != before["joints"] and after["silhouettes"] == before["silhouettes"]
    shop.write("masks/images/0001/a.png", OUTLINE[::-1])
    assert shop.labeler(**given).inputs(shop.records)["silhouettes"] != before["silhouettes"]
    described = labeler.describe()["options"]
    assert isinstance(described, dict) and described["joint_confidence"] == 0.3
    with pytest.raises(LostFile):
        shop.label(joints="elsewhere.json")
