"""Files of other tools that do not fit the images: each is named, with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from figures import joints, parts, person, runs
from limb_shop import OUTLINE, Shop, square

from pipeline.errors import UserError

FRAMES = [{"id": 1, "file_name": "a.jpg", "height": 1080, "width": 1920}]
BAD: dict[str, tuple[Callable[[Shop], dict[str, object]], str]] = {
    "joints of other images": (
        lambda shop: {"joints": shop.write("j.json", [person("z.jpg")])},
        r"j\.json has none of the 1 images that are labelled: its first image is 'z\.jpg', the dataset's 'train/0001/a",
    ),
    "silhouettes of other images": (
        lambda shop: {"silhouettes": shop.write("s.json", [{"image_id": "z.jpg", "segmentation": runs(OUTLINE)}])},
        r"s\.json has none of the 1 images that are labelled: its first image is 'z\.jpg', the dataset's 'train/0001/a",
    ),
    "a folder of other images": (
        lambda shop: {"silhouettes": str(Path(shop.write("m/z.png", OUTLINE.astype(np.uint8))).parent)},
        r"none of 1 images has a file of silhouettes: no .*0001/a\.jpg\.png\. Name the folder that was made from these",
    ),
    "an empty file": (lambda shop: {"joints": shop.write("j.json", [])}, r"j\.json holds no people or masks"),
    "no such file": (
        lambda shop: {"joints": "gone.json"},
        r"there is no file gone\.json\. Name it: --set masks.options.joints",
    ),
    "no JSON": (lambda shop: {"joints": str(shop.root / "images/0001/a.jpg")}, r"a\.jpg cannot be read: "),
    "OpenPose": (
        lambda shop: {"joints": shop.write("j.json", {"version": 1.3, "people": [{"pose_keypoints_2d": [1.0] * 54}]})},
        r"j\.json is a JSON object with the keys version, people, not a list of people or masks",
    ),
    "18 joints": (
        lambda shop: {"joints": shop.write("j.json", [person("a.jpg", np.ones((18, 3)))])},
        r"entry 0 has 18 joints, of which it is not known which is which. Write COCO's 17",
    ),
    "a changed name": (
        lambda shop: {"joints": shop.write("j.json", [{"image_id": "a.jpg", "pose": [1.0] * 51}])},
        r"j\.json, entry 0 has no keypoints, but image_id, pose",
    ),
    "boxes alone": (
        lambda shop: {"silhouettes": shop.write("s.json", [{"image_id": "a.jpg", "bbox": [0, 0, 9, 9]}])},
        r"s\.json, entry 0 has no mask that can be read, but image_id, bbox",
    ),
    "one file of one image": (
        lambda shop: {"joints": shop.write("j.json", [person()])},
        r"entry 0 names no image: .*If there is one such file per image, name their folder",
    ),
    "a folder with one file of all": (
        lambda shop: {"joints": str(Path(shop.write("all/j.json", [person("a.jpg")])).parent)},
        r"none of 1 images has a file of joints: no .*0001/a\.jpg\.json, but j\.json is there.*joints=.*all/j\.json",
    ),
    "joints in fractions": (
        lambda shop: {"joints": shop.write("j.json", [person("a.jpg", joints() / [60, 100, 1])])},
        r"j\.json, image train/0001/a\.jpg: the joints lie within one pixel: they are fractions",
    ),
    "joints of the whole frame": (
        lambda shop: {"joints": shop.write("j.json", [person("a.jpg", np.add(joints(), [700, 300, 0]))])},
        r"17 of 17 joints lie outside the image of 60x100 pixels\. Give joints in pixels of the same images",
    ),
    "joints beside the silhouette": (
        lambda shop: {"joints": shop.write("j.json", [person("a.jpg", joints() / [3, 3, 1])])},
        r"in 1 of 1 images the joints do not lie on the silhouette, first train/0001/a\.jpg",
    ),
    "images of another size": (
        lambda shop: {"joints": shop.write("j.json", {"images": FRAMES, "annotations": [person(1)]})},
        r"entry 0 is of an image of 1920x1080 pixels, and this one has 60x100",
    ),
    "masks of another shape": (
        lambda shop: {"silhouettes": shop.write("s.json", [{"image_id": "a", "segmentation": runs(OUTLINE[:50])}])},
        r"s\.json, entry 0 has a mask that is 60x50 pixels and its image 60x100: another shape",
    ),
    "polygons of another image": (
        lambda shop: {
            "silhouettes": shop.write("s.json", [{"image_id": "a", "segmentation": [square(0, 900, 0, 500)]}])
        },
        r"s\.json, entry 0 has a polygon that leaves its image of 60x100 pixels",
    ),
    "polygons in fractions": (
        lambda shop: {"silhouettes": shop.write("s.json", [{"image_id": "a", "segmentation": [square(0, 1, 0, 1)]}])},
        r"has polygons within one pixel: they are in fractions",
    ),
    "damaged runs": (
        lambda shop: {
            "silhouettes": shop.write("s.json", [{"image_id": "a", "segmentation": {"size": [100, 60], "counts": [3]}}])
        },
        r"s\.json, entry 0 has a damaged mask: the runs do not fill the 100 x 60 pixels",
    ),
    "label maps without their table": (
        lambda shop: {"silhouettes": str(Path(shop.write("m/a.png", parts())).parent)},
        r"silhouette .*m/a\.png holds 8 values up to 7: class ids, or a picture.*--set masks\.options\.table=lip20",
    ),
    "a picture": (
        lambda shop: {
            "silhouettes": str(Path(shop.write("m/a.png", np.dstack([parts(), parts() * 2, parts()]))).parent)
        },
        r"a\.png is a picture in colours without a transparency, not a silhouette",
    ),
    "scores": (
        lambda shop: {"silhouettes": str(Path(shop.write("m/a.npy", np.where(OUTLINE, 4.5, -3.0))).parent)},
        r"a\.npy holds scores from -3 to 4\.5, not probabilities\. Save the mask itself",
    ),
    "a table without a folder": (
        lambda shop: {"silhouettes": shop.write("s.json", [person("a.jpg")]), "table": "lip20"},
        r"s\.json is no folder, and a class table is for label maps",
    ),
    "layers of scores": (lambda shop: {"table": "pifpaf36"}, r"table pifpaf36 is of layers with scores"),
    "an unknown table": (lambda shop: {"table": "lip21"}, r"unknown class table 'lip21'"),
}


@pytest.mark.parametrize("fault", BAD)
def test_files_that_do_not_fit_are_named(shop: Shop, fault: str) -> None:
    make, message = BAD[fault]
    options = make(shop)
    with pytest.raises(UserError, match=message):
        shop.label(**options)
