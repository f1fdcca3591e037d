"""Joints of every tool: JSON for all images and for each, tables, joints that were not found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figures import joints, person
from limb_shop import COCO, Shop, is_whole

from pipeline.errors import UserError
from pipeline.labelers.keypoints.joints import COLUMNS


def triples(keypoints: np.ndarray) -> list[list[float]]:
    rows: list[list[float]] = keypoints.tolist()
    return rows


HALPE = np.concatenate([joints(), np.full((9, 3), 30.0)])
FORMS: dict[str, tuple[str, Any]] = {
    "AlphaPose": ("joints.json", [person("a.jpg", score=2.8)]),
    "AlphaPose, Halpe-26": ("joints.json", [person("a.jpg", HALPE)]),
    "a path of another machine": ("joints.json", [person("/home/me/crops/images/0001/a.jpg")]),
    "a path of Windows": ("joints.json", [person("images\\0001\\a.jpg")]),
    "YOLO-pose, a name without its suffix": ("joints.json", [person("a")]),
    "YOLO-pose, with file_name": ("joints.json", [person(17, file_name="a.jpg")]),
    "ViTPose, the images beside": ("joints.json", {**COCO, "annotations": [person(7)]}),
    "COCO's flags": ("joints.json", {**COCO, "annotations": [person(7, joints(confidence=2))]}),
    "OpenPifPaf": ("joints/images/0001/a.jpg.predictions.json", [person()]),
    "OpenPifPaf, in one folder": ("joints/a.jpg.predictions.json", [person()]),
    "KPR": ("joints/a.jpg_keypoints.json", [{"keypoints": triples(joints()), "is_target": True}]),
    "MMPose": (
        "joints/a.json",
        {
            "meta_info": {},
            "instance_info": [
                {"keypoints": triples(joints()[:, :2]), "keypoint_scores": [1.0] * 17, "bbox_score": 0.9}
            ],
        },
    ),
    "Ultralytics": (
        "joints/a.json",
        [
            {
                "name": "person",
                "confidence": 0.9,
                "keypoints": dict(zip(("x", "y", "visible"), joints().T.tolist(), strict=True)),
            }
        ],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_joints_of_every_tool(shop: Shop, form: str) -> None:
    name, content = FORMS[form]
    path = shop.write(name, content)
    assert is_whole(shop.label(joints=path if name == "joints.json" else str(shop.root / "joints")))


def test_joints_that_were_not_found_in_a_padded_image_have_no_place(shop: Shop) -> None:
    """OpenPifPaf pads to 16 n + 1 pixels: a joint at (0, 0) of what it saw is at (-5, -7) of the image."""
    found = joints()
    found[11:15] = 0  # hips and knees
    here = shop.label(joints=shop.write("joints.json", [person("a.jpg", found)]))
    found[11:15, :2] = -5.0, -7.0
    padded = shop.label(joints=shop.write("joints.json", [person("a.jpg", found)]))
    assert np.array_equal(padded.mask, here.mask)


def test_numbers_with_the_images_in_another_file(shop: Shop) -> None:
    shop.write("joints.json", [person(7)])
    with pytest.raises(UserError, match=r"entry 0 has the image_id 7, a number that .*--set masks\.options\.images"):
        shop.label()
    assert is_whole(shop.label(images=shop.write("coco.json", COCO)))
    with pytest.raises(UserError, match=r"has the image_id 8, which the list of images has not"):
        shop.write("joints.json", [person(8)])
        shop.label(images=str(shop.root / "coco.json"))


def test_joints_of_a_table(shop: Shop) -> None:
    (shop.root / "joints").mkdir()
    row = ",".join(map(str, joints().ravel()))
    given = {"joints": str(shop.root / "joints" / "{split}.csv")}
    for name in ("0001/a", "a.jpg", "images/0001/a"):
        (shop.root / "joints" / "train.csv").write_text(f"name,{','.join(COLUMNS)}\n{name},{row}\n")
        assert is_whole(shop.label(**given))
    (shop.root / "joints" / "train.csv").write_text(f"name,{','.join(COLUMNS)}\nb,{row}\n")
    with pytest.raises(UserError, match=r"has none of the 1 images that are labelled, such as train/0001/a\.jpg"):
        shop.label(**given)
    shop.records.append(shop.add("0002/a.jpg"))
    (shop.root / "joints" / "train.csv").write_text(f"name,{','.join(COLUMNS)}\na,{row}\n")
    with pytest.raises(UserError, match=r"the row 'a' may be of train/0001/a\.jpg or train/0002/a\.jpg"):
        shop.label(**given)
