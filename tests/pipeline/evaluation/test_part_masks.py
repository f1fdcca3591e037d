"""Part scores: predicted parts are compared at the network's size, with exact masks before labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from record_tables import table_of_pairs

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.evaluation.part_masks import PartReference, part_scores
from pipeline.features.store import Examples
from sorn.sample import Sample, Status


def labelled(status: Status) -> Sample:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 3  # upper half: upper arm, "arm" of five classes
    return Sample(np.zeros((8, 8, 3), np.uint8), mask, 1, 1, "query/0.jpg", status)


def reference(tmp_path: Path, status: Status, labels: int) -> PartReference:
    """The image query/0.jpg, of 8x8 pixels, in a dataset without exact masks as long as nobody writes any."""
    record = ImageRecord("query/0.jpg", tmp_path / "0.jpg", 1, 1, "query")
    exact = ExactMasks(Manifest("mine", "Mine"), tmp_path, table_of_pairs([(record, ImageFile(1, 1, "s", 8, 8))]))
    return PartReference(lambda name: labelled(status), exact, "danet", labels)


def test_part_scores_by_hand(tmp_path: Path) -> None:
    predicted = np.array([[3, 3], [3, 0]], np.uint8)
    examples = Examples(np.array(["query/0.jpg", "query/1.jpg"]), np.zeros((2, 0, 2, 2)), np.stack([predicted] * 2))
    found = part_scores(examples, reference(tmp_path, Status.OK, 5), ["query/0.jpg"])
    assert found is not None and found.images == 1 and found.against == {"the labels of danet": 1}
    assert found.pixel_accuracy == 3 / 4
    assert found.iou == {"background": 1 / 2, "head": None, "torso": None, "arm": pytest.approx(2 / 3), "leg": None}
    assert found.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("status", [Status.UNLABELED, Status.EMPTY, Status.UNREADABLE])
def test_images_without_labels_are_not_scored(tmp_path: Path, status: Status) -> None:
    examples = Examples(np.array(["query/0.jpg"]), np.zeros((1, 0, 2, 2)), np.zeros((1, 2, 2), np.uint8))
    assert part_scores(examples, reference(tmp_path, status, 8), ["query/0.jpg"]) is None


@pytest.mark.parametrize("status", [Status.OK, Status.UNLABELED])
def test_an_exact_mask_is_the_reference_where_there_is_one(tmp_path: Path, status: Status) -> None:
    exact = np.zeros((8, 8), np.uint8)
    exact[:, :4] = 7  # left half: foot, "leg" of five classes
    (tmp_path / "masks" / "query").mkdir(parents=True)
    Image.fromarray(exact).save(tmp_path / "masks" / "query" / "0.png")
    predicted = np.array([[4, 3], [4, 0]], np.uint8)
    examples = Examples(np.array(["query/0.jpg"]), np.zeros((1, 0, 2, 2)), predicted[None])
    found = part_scores(examples, reference(tmp_path, status, 5), ["query/0.jpg"])
    assert found is not None and found.against == {"exact masks": 1}
    assert found.iou == {"background": 1 / 2, "head": None, "torso": None, "arm": 0, "leg": 1}
