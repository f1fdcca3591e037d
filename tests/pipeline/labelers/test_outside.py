"""Answers of plug-ins from outside: what is refused, and that nothing is left half-written."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from plugin_package import LABELER
from record_tables import table_of

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers.base import Labeled, Source
from pipeline.labelers.outside import OutsideFinder, OutsideLabeler, PluginOrigin
from pipeline.runs.config import Runtime
from pipeline.shards import jobs
from pipeline.shards.labeling import Labeling, ShardLabeler
from pipeline.shards.plan import PlannedShard
from sorn.sample import Status

SIZE = (20, 10)
RECORDS = [ImageRecord(f"train/{name}.png", Path(f"{name}.png"), 1, 1, "train") for name in "abc"]
IMAGES = [np.full((*SIZE, 3), value, np.uint8) for value in (1, 2, 3)]
MASK = np.ones(SIZE, np.uint8)
GOOD = Labeled(MASK, Status.OK)
ORIGIN = PluginOrigin(
    "labeler", "x:Mine", "labeler x:Mine", Path("x.py"), "Correct x.py, or choose another.", {"class": "x"}
)


class Made:
    """A plug-in that answers what a test wants."""

    version = 3

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def _say(self, *given: Any) -> Any:
        return self.answer(*given) if callable(self.answer) else self.answer

    label = find = describe = inputs = prepare = _say


def with_(**changes: Any) -> Labeled:
    return dataclasses.replace(GOOD, **changes)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (MASK, "an object of type ndarray, not Labeled"),
        (None, "an object of type NoneType, not Labeled"),
        (with_(mask=[[1]]), "an object of type list as mask"),
        (with_(mask=MASK.astype(np.int64)), "a mask of int64, not of uint8"),
        (with_(mask=MASK[:5]), r"a mask of shape \[5, 10\], not \[20, 10\]"),
        (with_(mask=MASK[..., None]), r"a mask of shape \[20, 10, 1\]"),
        (with_(mask=MASK * 8), r"a mask with the id 8, which is no body part \(0 to 7\)"),
        (with_(status="fine"), "the status 'fine', not one of OK"),
        (with_(status=Status.UNREADABLE), "the status <Status.UNREADABLE: 4>"),
        (with_(people=-2), "people = -2"),
        (with_(box=(0, 0, 2, 1)), r"the box \(0, 0, 2, 1\)"),
        (with_(box=None), "the box None"),
        (with_(score=float("nan")), "the score nan"),
    ],
)
def test_an_answer_that_is_no_mask_of_the_image(answer: Any, message: str) -> None:
    labeler = OutsideLabeler(ORIGIN, Made([GOOD, answer, GOOD]))
    with pytest.raises(UserError, match=rf"labeler x:Mine returns {message}.*, for 'train/b\.png'\. Correct x\.py"):
        labeler.label(RECORDS, IMAGES)


def test_a_good_answer_is_kept_whatever_becomes_of_the_plugins_arrays() -> None:
    def label(records: list[ImageRecord], images: list[np.ndarray]) -> tuple[Labeled, ...]:
        for image in images:
            image[:] = 0
        return (GOOD, GOOD, with_(people=np.int64(2), score=np.float32(0.5)))

    found = OutsideLabeler(ORIGIN, Made(label)).label(RECORDS, IMAGES)
    assert [one.people for one in found] == [-1, -1, 2] and found[0].mask is not MASK
    assert [int(image[0, 0, 0]) for image in IMAGES] == [1, 2, 3], "the images are stored as they were read"


@pytest.mark.parametrize("answer", [[GOOD, GOOD], GOOD, None, {0: GOOD}])
def test_another_number_of_answers(answer: Any) -> None:
    with pytest.raises(UserError, match=r"label\(\) returns .* for 3 images, not one each"):
        OutsideLabeler(ORIGIN, Made(answer)).label(RECORDS, IMAGES)


def test_an_exception_is_told_with_the_image() -> None:
    def label(records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        if any(image[0, 0, 0] == 2 for image in images):
            raise KeyError("torso")
        return [GOOD for _ in images]

    with pytest.raises(
        UserError,
        match=r"raises KeyError: 'torso' is missing \(test_outside\.py, line \d+\) for 'train/b",
    ):
        OutsideLabeler(ORIGIN, Made(label)).label(RECORDS, IMAGES)

    def crowded(records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        if len(images) > 1:
            raise MemoryError
        return [GOOD]

    with pytest.raises(UserError, match=r"MemoryError .* for 3 images at a time, from 'train/a\.png' to 'train/c"):
        OutsideLabeler(ORIGIN, Made(crowded)).label(RECORDS, IMAGES)

    def own(records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        raise UserError("weights 'w.pth' are of another network", "Take those of mine.")

    with pytest.raises(UserError, match=r"^weights 'w\.pth' are of another network"):
        OutsideLabeler(ORIGIN, Made(own)).label(RECORDS, IMAGES)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0, 0, 1]], "an object of type list"),
        (np.zeros((17, 3)), r"keypoints of float64 \[17, 3\]"),
        (np.zeros((17, 2), np.float32), r"keypoints of float32 \[17, 2\]"),
        (np.full((17, 3), np.inf, np.float32), "keypoints that are not finite"),
        (np.full((17, 3), 2, np.float32), r"a confidence outside \[0, 1\]"),
    ],
)
def test_an_answer_that_is_no_keypoints(answer: Any, message: str) -> None:
    with pytest.raises(UserError, match=rf"returns {message}.*, for 'train/a"):
        OutsideFinder(ORIGIN, Made([answer])).find(RECORDS[:1], IMAGES[:1])


def test_descriptions_and_inputs() -> None:
    def made(answer: Any) -> OutsideLabeler:
        return OutsideLabeler(ORIGIN, Made(answer))

    described = made({"name": "other", "sizes": (1, 2)}).describe()
    assert described == {"name": "x:Mine", "version": 3, "sizes": [1, 2], "plugin": {"class": "x"}}
    assert made({"records": "abc"}).inputs([]) == {"labeler x:Mine: records": "abc"}, "the stage has its own records"
    for answer in ({"a": 1.5}, [], {1: "a"}):
        with pytest.raises(UserError, match=r"inputs\(\) returns"):
            made(answer).inputs([])
    for answer in ({"a": MASK}, {"a": float("nan")}, "text"):
        with pytest.raises(UserError, match=r"describe\(\) returns"):
            made(answer).describe()
    with pytest.raises(UserError, match=r"raises ZeroDivisionError: .* in prepare\(\)"):
        made(lambda *_: 1 / 0).prepare([], Runtime())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A labeler that this process alone can import."""
    found = types.ModuleType("only_here")
    exec(LABELER, found.__dict__)
    found.Mine.__module__ = "only_here"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", found)
    return "only_here:Mine"


def work(folder: Path, labeler: str, backend: str) -> tuple[Labeling, list[PlannedShard]]:
    for record, image in zip(RECORDS, IMAGES, strict=True):
        Image.fromarray(image).save(folder / record.path)
    records = [dataclasses.replace(record, path=folder / record.path) for record in RECORDS]
    runtime = Runtime(workers=2, device="cpu", backend=backend)
    splits, size, index = frozenset({"train"}), (16, 16), folder / "masks" / "index.json"
    source = Source(Manifest("mine", "Mine"), folder)
    job = Labeling(source, labeler, {}, "none", {}, splits, size, "f", index, runtime, 1)
    return job, [PlannedShard(folder / "masks" / "train" / "shard-00000.h5", "train", table_of(records))]


def test_a_class_that_no_worker_process_can_import(tmp_path: Path, module: str) -> None:
    job, shards = work(tmp_path, module, "loky")
    ShardLabeler(job)
    with pytest.raises(
        UserError, match=r"worker process of backend 'loky' cannot .* no module 'only_here'.*--backend threads"
    ):
        list(jobs.write_shards(job, shards))
    assert not list(tmp_path.rglob("shard-*"))


@pytest.mark.parametrize(
    "wrong", ["image.shape[:2], 9, np.uint8", "image.shape[:2], 2, np.int64", "(3, 3), 2, np.uint8"]
)
def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    (tmp_path / "bad_parts.py").write_text(LABELER.replace("image.shape[:2], 2, np.uint8", wrong))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_parts", raising=False)
    job, shards = work(tmp_path, "bad_parts:Mine", "threads")
    labeler = ShardLabeler(job)
    labeler.prepare(shards[0].records)
    with pytest.raises(
        UserError, match=r"labeler bad_parts:Mine returns a mask .*, for 'train/a\.png'\. Correct .*bad_parts\.py"
    ):
        list(labeler.write(shards))
    assert [path for path in (tmp_path / "masks").rglob("*") if path.is_file()] == []
    monkeypatch.delitem(sys.modules, "bad_parts")


def test_the_guard_stands_around_plugins_from_outside_only(tmp_path: Path) -> None:
    assert not isinstance(labelers.create("none", {}, Source(Manifest("mine", "Mine"), tmp_path)), OutsideLabeler)
