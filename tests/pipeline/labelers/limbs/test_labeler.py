"""Labeler `limbs`: every form of silhouettes and joints, statuses, and files that do not fit."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from figures import SIZE, joints, packed, parts, person, runs
from PIL import Image

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import LostFile, UserError
from pipeline.labelers.base import Labeled, Source
from pipeline.labelers.keypoints.joints import COLUMNS
from pipeline.labelers.limbs.division import divide
from pipeline.labelers.limbs.labeler import Limbs
from pipeline.runs.config import Runtime
from sorn.parts import LOWER_LEG, TORSO
from sorn.sample import Status

OUTLINE = parts() > 0
IMAGE = np.zeros((*SIZE, 3), np.uint8)


class Shop:
    """A dataset of one image, a.jpg, and files of other tools beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = [self.add("0001/a.jpg")]

    def add(self, name: str) -> ImageRecord:
        path = self.root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGE).save(path)
        return ImageRecord(f"train/{name}", path, 1, 1, "train")

    def write(self, name: str, content: object) -> str:
        """A JSON, or an array as PNG or .npy; its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            np.save(path, content) if path.suffix == ".npy" else Image.fromarray(content).save(path)
        else:
            path.write_text(json.dumps(content))
        return str(path)

    def labeler(self, **options: object) -> Limbs:
        return Limbs(options, Source(cast(Manifest, None), self.root))

    def label(self, **options: object) -> Labeled:
        """The image's label; `joints` and `silhouettes` are there unless named."""
        given = {"joints": str(self.root / "joints.json"), "silhouettes": str(self.root / "masks")} | options
        labeler = self.labeler(**given)
        labeler.prepare(self.records, Runtime())
        found = labeler.label(self.records, [IMAGE] * len(self.records))[0]
        assert found.mask.dtype == np.uint8 and found.mask.shape == SIZE
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write("joints.json", [person("a.jpg")])
    shop.write("masks/images/0001/a.png", OUTLINE.astype(np.uint8) * 255)
    return shop


def is_whole(found: Labeled) -> bool:
    from pipeline.datasets.limb_regions import silhouette

    same: bool = np.array_equal(found.mask, divide(silhouette(OUTLINE), joints(), 0.3))
    return same and found.status == Status.OK and found.people == 1


def triples(keypoints: np.ndarray) -> list[list[float]]:
    rows: list[list[float]] = keypoints.tolist()
    return rows


HALPE = np.concatenate([joints(), np.full((9, 3), 30.0)])
COCO = {"images": [{"id": 7, "file_name": "0001/a.jpg", "height": SIZE[0], "width": SIZE[1]}]}
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


def square(top: int, bottom: int, left: int, right: int) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


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


@pytest.mark.parametrize("what", ["joints", "silhouettes"])
def test_files_with_other_names_are_found_with_the_pattern_of_the_message(shop: Shop, what: str) -> None:
    content = {"joints": [person()], "silhouettes": OUTLINE}[what]
    end = {"joints": ".pose.v2.json", "silhouettes": "-sam.png"}[what]
    folder = str(shop.root / "new")
    shop.write(f"new/images/0001/a{end}", content)
    with pytest.raises(
        UserError, match=rf"none of 1 images has a file of {what}.*but a{re.escape(end)} is there"
    ) as error:
        shop.label(**{what: folder})
    words = shlex.split(error.value.remedy.partition(": ")[2])
    assert words == ["--set", f"masks.options.{what}_pattern={{path}}{end}"]
    assert is_whole(shop.label(**{what: folder, f"{what}_pattern": f"{{path}}{end}"}))


def test_a_name_that_two_images_share_is_refused(shop: Shop) -> None:
    shop.records.append(shop.add("0002/a.jpg"))
    shop.write("joints.json", [person("a.jpg")])
    with pytest.raises(
        UserError, match=r"entry 0 is of the image 'a\.jpg', which may be train/0001/a\.jpg or train/0002"
    ):
        shop.label()
    shop.write("joints.json", [person("0001/a.jpg"), person("0002/a.jpg")])
    assert shop.label().status == Status.OK


def test_a_file_that_two_images_share_is_refused(shop: Shop) -> None:
    shop.records.append(shop.add("0002/a.jpg"))
    shop.write("joints.json", [person("0001/a.jpg"), person("0002/a.jpg")])
    shop.write("flat/a.png", OUTLINE)
    with pytest.raises(
        UserError, match=r"flat/a\.png has the name of two images, train/0001/a\.jpg and train/0002/a\.jpg"
    ):
        shop.label(silhouettes=str(shop.root / "flat"))


def test_images_of_another_split_are_not_taken_for_these(shop: Shop) -> None:
    shop.write("joints.json", [person("images/0001/a.jpg"), person("query/0009/a.jpg", joints(5))])
    assert is_whole(shop.label())


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
