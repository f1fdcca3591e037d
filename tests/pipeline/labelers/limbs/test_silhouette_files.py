"""Silhouettes of every tool: pictures, arrays, JSON, label maps of clothes, and images without one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from figures import SIZE, packed, parts, person, runs
from limb_shop import COCO, OUTLINE, Shop, is_whole, square
from PIL import Image

from pipeline.errors import UserError
from sorn.parts import LOWER_LEG, TORSO
from sorn.sample import Status

SILHOUETTES: dict[str, Any] = {
    "masks/a.png": OUTLINE.astype(np.uint8) * 255,
    "masks/train/0001/a.jpg.png": OUTLINE,
    "masks/0001/a.png": np.dstack([np.full((*SIZE, 3), 90, np.uint8), OUTLINE * np.uint8(255)]),  # rembg's cut-out
    "masks/images/0001/a.npy": OUTLINE,
    "masks/a.npy": np.stack([~OUTLINE, OUTLINE, OUTLINE & (parts() == 1)]),  # SAM's three
    "masks/a.json": [{"segmentation": packed(OUTLINE), "predicted_iou": 0.9}, {"segmentation": runs(~OUTLINE)}],
    "masks.json": [{"image_id": "a", "category_id": 1, "score": 0.9, "segmentation": packed(OUTLINE)}],
    "coco.json": {**COCO, "annotations": [{"image_id": 7, "category_id": 1, "segmentation": runs(OUTLINE)}]},
}


@pytest.mark.parametrize("name", SILHOUETTES)
def test_silhouettes_of_every_form(shop: Shop, name: str) -> None:
    (shop.root / "masks/images/0001/a.png").unlink()
    path = shop.write(name, SILHOUETTES[name])
    assert is_whole(shop.label(silhouettes=path if name.count("/") == 0 else str(shop.root / "masks")))


def test_polygons_and_categories(shop: Shop) -> None:
    names = [{"id": 3, "name": "person"}, {"id": 1, "name": "car"}]
    car = {"image_id": 7, "category_id": 1, "segmentation": [square(0, 100, 0, 60)]}
    body = {"image_id": 7, "category_id": 3, "segmentation": [square(4, 17, 25, 35), square(18, 96, 16, 44)]}
    path = shop.write("coco.json", {**COCO, "categories": names, "annotations": [car, body]})
    found = shop.label(silhouettes=path)
    box = np.zeros(SIZE, bool)
    box[4:17, 25:35] = box[18:96, 16:44] = True
    assert ((found.mask > 0) != box).mean() < 0.03 and found.status == Status.OK
    plain = [{**one, "image_id": "a.jpg"} for one in (car, body)]
    assert (shop.label(silhouettes=shop.write("plain.json", plain), category=3).mask[:, :10] == 0).all()
    with pytest.raises(
        UserError, match=r"plain\.json has the categories 1, 3\. Name .*--set masks\.options\.category=1"
    ):
        shop.label(silhouettes=str(shop.root / "plain.json"), category=0)


def test_label_maps_of_clothes(shop: Shop) -> None:
    """LIP: trousers become thighs and calves, where `import` has upper legs down to the cuff."""
    clothes = np.array([0, 13, 5, 5, 14, 9, 9, 18], np.uint8)[parts()]
    Image.fromarray(clothes).save(shop.root / "masks/images/0001/a.png")
    mask = shop.label(table="lip20").mask
    assert (mask == parts()).mean() > 0.95 and (mask[75:88, 24:28] == LOWER_LEG).all()
    (shop.root / "mine.csv").write_text("value,class\n0,background\n4,person\n")
    Image.fromarray(OUTLINE.astype(np.uint8) * 4).save(shop.root / "masks/images/0001/a.png")
    assert is_whole(shop.label(table=str(shop.root / "mine.csv")))
    with pytest.raises(UserError, match=r"holds the value 44, which class table sorn8"):
        Image.fromarray(OUTLINE.astype(np.uint8) * 44).save(shop.root / "masks/images/0001/a.png")
        shop.label(table="sorn8")


def test_an_image_without_a_silhouette(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.records.insert(0, shop.add("0001/b.jpg"))
    shop.write("joints.json", [person("a.jpg"), person("b.jpg")])
    found = shop.label()
    assert found.status == Status.EMPTY and found.people == 1 and not found.mask.any()
    assert re.search(
        r"1 of 2 images have no silhouette and are empty, first train/0001/b\.jpg; .*outline=limbs", caplog.text
    )
    found = shop.label(outline="limbs")
    assert found.status == Status.OK and (found.mask > 0)[OUTLINE].mean() > 0.8
    found = shop.label(outline="limbs", silhouettes="")
    assert found.status == Status.OK and (found.mask[25:40, 26:34] == TORSO).all()
