"""Exact masks: found by the image's name, read as the labeler `ground_truth` stores them, refused when they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from record_tables import table_of_pairs

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.errors import UserError
from pipeline.io.images import resize_mask
from pipeline.labelers.base import Source
from pipeline.labelers.ground_truth import GroundTruth
from pipeline.runs.config import Runtime

MANIFEST = Manifest("mine", "Mine", masks="parts/{split}-{path}.png")
RECORD = ImageRecord("train/0001/a.jpg", Path("a.jpg"), 1, 1, "train")
HEIGHT, WIDTH = 20, 10


def exact(root: Path, values: np.ndarray | None) -> ExactMasks:
    """Those of a dataset of one image; its mask holds these values."""
    path = root / "parts" / "train-0001" / "a.png"
    if values is not None:
        path.parent.mkdir(parents=True)
        Image.fromarray(values).save(path)
    return ExactMasks(MANIFEST, root, table_of_pairs([(RECORD, ImageFile(1, 1, "s", WIDTH, HEIGHT))]))


def test_a_mask_is_the_one_that_ground_truth_stores(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 8, (HEIGHT, WIDTH)).astype(np.uint8)
    masks = exact(tmp_path, values)
    assert masks.path(RECORD.name) == tmp_path / "parts" / "train-0001" / "a.png"
    found = masks.read(RECORD.name, (HEIGHT, WIDTH))
    assert found is not None and found.dtype == np.uint8 and np.array_equal(found, values)
    (stored,) = GroundTruth({}, Source(MANIFEST, tmp_path)).label([RECORD], [np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
    assert np.array_equal(masks.read(RECORD.name, (32, 16)), resize_mask(stored.mask, (32, 16)))


def test_images_without_a_mask_or_a_record_have_none(tmp_path: Path) -> None:
    masks = exact(tmp_path, None)
    for name in (RECORD.name, "train/0002/b.jpg"):
        assert masks.path(name) is None and masks.read(name, (32, 16)) is None


def test_a_mask_that_cannot_be_one_of_its_image_is_refused(tmp_path: Path) -> None:
    wrong = exact(tmp_path / "id", np.full((HEIGHT, WIDTH), 8, np.uint8))
    with pytest.raises(UserError, match=r"train-0001/a\.png holds the value 8, which class table sorn8 does not know"):
        wrong.read(RECORD.name, (32, 16))
    cropped = exact(tmp_path / "shape", np.zeros((HEIGHT, HEIGHT), np.uint8))
    with pytest.raises(UserError, match="is 20x20 pixels and its image 10x20: another shape"):
        cropped.read(RECORD.name, (32, 16))
    doubled = exact(tmp_path / "size", np.ones((2 * HEIGHT, 2 * WIDTH), np.uint8))
    found = doubled.read(RECORD.name, (32, 16))
    assert found is not None and found.shape == (32, 16) and (found == 1).all()


def twins(root: Path, masks: dict[str, int]) -> tuple[list[ImageRecord], GroundTruth, ExactMasks]:
    """Two images that differ in their suffix alone, and masks of one value each."""
    manifest = Manifest("mine", "Mine")
    records = [ImageRecord(f"train/{name}", root / name, 1, 1, "train") for name in ("a.jpg", "a.png")]
    (root / "masks/train").mkdir(parents=True)
    for name, value in masks.items():
        Image.fromarray(np.full((HEIGHT, WIDTH), value, np.uint8)).save(root / "masks/train" / name)
    file = ImageFile(1, 1, "s", WIDTH, HEIGHT)
    table = table_of_pairs((record, file) for record in records)
    return records, GroundTruth({}, Source(manifest, root)), ExactMasks(manifest, root, table)


def test_images_that_differ_in_their_suffix_have_masks_of_their_own(tmp_path: Path) -> None:
    records, labeler, exact_masks = twins(tmp_path, {"a.jpg.png": 1, "a.png.png": 2})
    labeler.prepare(records, Runtime())
    images = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 2
    assert [found.mask[0, 0] for found in labeler.label(records, images)] == [1, 2]
    assert [exact_masks.read(record.name, (32, 16))[0, 0] for record in records] == [1, 2]  # type: ignore[index]


def test_one_mask_for_two_images_is_nobodys(tmp_path: Path) -> None:
    records, labeler, exact_masks = twins(tmp_path, {"a.png": 1})
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.png have one mask, .*: a\.jpg\.png and a\.png\.png\."):
        labeler.prepare(records, Runtime())
    assert [exact_masks.path(record.name) for record in records] == [None, None]


def test_names_without_suffix_keep_what_follows_a_dot(tmp_path: Path) -> None:
    records, labeler, _ = twins(tmp_path, {"0001.c1.png": 1, "0001.c2.png": 2})
    records = [ImageRecord(f"train/0001.c{number}", tmp_path, 1, 1, "train") for number in (1, 2)]
    labeler.prepare(records, Runtime())
    assert [labeler.path(record).name for record in records] == ["0001.c1.png", "0001.c2.png"]
