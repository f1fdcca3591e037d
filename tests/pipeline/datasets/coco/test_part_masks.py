"""COCO annotations of body parts: drawn in order, and damaged in every field."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets.coco import rle
from pipeline.datasets.coco.part_masks import read_part_masks
from pipeline.errors import UserError

SQUARE = [[0, 0, 1, 0, 1, 1, 0, 1]]
DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "a.jpg", "height": 4, "width": 3},
        {"id": 8, "file_name": "b.jpg", "height": 4, "width": 3},
    ],
    "categories": [{"id": 1, "name": "head"}, {"id": 2, "name": "Lower_Leg"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "segmentation": {"size": [4, 3], "counts": [0, 12]}},
        {"image_id": 7, "category_id": 2, "segmentation": SQUARE},
    ],
}


def written(folder: Path, document: object) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps(document))
    return path


def test_a_later_annotation_lies_over_an_earlier_one(tmp_path: Path) -> None:
    found = read_part_masks(written(tmp_path, DOCUMENT))
    assert found["a.jpg"].parts().tolist() == [[6, 6, 1], [6, 6, 1], [1, 1, 1], [1, 1, 1]]
    assert not found["b.jpg"].parts().any()


@pytest.mark.parametrize("mask", [np.eye(3, 4), np.ones((3, 2)), np.zeros((2, 3)), np.triu(np.ones((5, 4)), 1)])
def test_runs_come_back(mask: np.ndarray) -> None:
    assert np.array_equal(rle.decode(rle.encode(mask > 0)), mask > 0)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("images",), None, "holds no COCO annotations of body parts"),
        (("images", 0, "height"), 0, "an image of 0 x 3 pixels"),
        (("categories", 0, "name"), "skirt", "has the category 'skirt', which is no body part"),
        (("annotations", 0, "image_id"), 9, "there is no 9"),
        (("annotations", 0, "category_id"), 9, "there is no 9"),
        (
            ("annotations", 0, "segmentation"),
            {"size": [4, 4], "counts": [16]},
            "its mask has 4 x 4 pixels, its image 4",
        ),
        (("annotations", 0, "segmentation"), {"size": [4, 3], "counts": [5]}, "the runs do not fill"),
        (("annotations", 1, "segmentation"), [[1, 2, 3, 4]], "a polygon of 4 numbers"),
        (("annotations", 1, "segmentation"), [["x"] * 6], "is damaged"),
    ],
)
def test_what_is_refused(tmp_path: Path, place: tuple[Any, ...], value: object, said: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    inner: Any = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(UserError, match=said):
        for drawn in read_part_masks(written(tmp_path, document)).values():
            drawn.parts()
