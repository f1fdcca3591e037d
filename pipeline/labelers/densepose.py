"""Labeler `densepose`: chart models of detectron2's DensePose.

Reads the weights that the user names; imports torch when at work. densepose_zoo.py lists the models and where to fetch
them, densepose_model.py has the networks and the collapse to classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.records import ImageRecord
from pipeline.errors import LostFile
from pipeline.io.files import digest_file
from pipeline.io.images import resize_image, resize_mask
from pipeline.labelers import densepose_zoo
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.labelers.batching import require_finite, run_in_batches
from pipeline.labelers.person_choice import choose, status_of
from pipeline.runs.config import PRECISIONS, Runtime
from sorn.config import check, check_choice
from sorn.parts import BACKGROUND
from sorn.sample import Status

if TYPE_CHECKING:
    import torch

    from pipeline.labelers.densepose_model import People

TABLE = "densepose24"
STRIDE = 32  # of the feature pyramid's coarsest level; sides it divides need no padding
LONGEST = 4  # times the shortest side: as far as a long side grows
DETAIL = 1024  # pixels of a side beyond which scores of 112 x 112 are not upsampled, but their classes
NOT_THE_RESULT = ("weights", "batch")  # options outside the fingerprint: digested by content, or rounding errors


@dataclass(frozen=True)
class DensePoseOptions:
    weights: str = ""
    # The file of the model's weights: the zoo's .pkl, .pth or .safetensors. Nothing is downloaded.
    model: str = "densepose_rcnn_R_50_FPN_s1x"
    # A chart model of the zoo, or the path of your own .yaml. R_50_FPN is the fastest; R_101_FPN_DL the most exact, by
    # 2.6 points of its zoo's measure (GPS).
    mode: str = "given_box"
    # given_box: the crop is the person's box, so nobody is missed and no proposals are computed. detector: looks for
    # people and takes the one with the greatest score x overlap with the crop x centrality.
    collapse: str = "soft"
    # soft: the most probable class, adding up the patches of each. hard: upstream's rule, patch by patch.
    hands: str = "lower_arm"
    # Class of hands: DensePose has no separate hand in the paper's eight classes.
    min_size: int = 256
    # Shortest side the network sees. Upstream's 800 is meant for whole photographs, of which people fill a part; a crop
    # is all person, and at 256 shows it at that size. The head pools every box to 28 x 28 in any case, and 800 would
    # be 7 times as many pixels (upstream limits the long side to 1333).
    margin: float = 0.0
    # Border of repeated edge pixels around the crop, in parts of its sides, for tight boxes; costs (1 + 2m)^2 in time.
    min_score: float = 0.5
    # Of the detector: below it a detection is nobody.
    low_resolution: int = 64
    # Height of an image in pixels below which its status is LOW_RESOLUTION: feet are then two or three pixels high.
    batch: int = 16
    # Crops of one shape that the device gets at a time; halved where its memory ends. A CPU gains nothing from many.
    precision: str = "auto"
    # auto: fp16 on a GPU (more digits than bf16, and enough range for these networks), fp32 on a CPU.

    def __post_init__(self) -> None:
        known = self.model in densepose_zoo.WEIGHTS or self.model.endswith(".yaml")
        check(known, "model", self.model, "a .yaml or one of " + ", ".join(sorted(densepose_zoo.WEIGHTS)))
        check_choice("mode", self.mode, ("given_box", "detector"))
        check_choice("collapse", self.collapse, ("soft", "hard"))
        check_choice("hands", self.hands, tuple(HANDS))
        size = self.min_size
        check(size >= STRIDE and size % STRIDE == 0, "min_size", size, f"a multiple of {STRIDE} (the stride)")
        check(0 <= self.margin <= 1, "margin", self.margin, "a number in [0, 1]")
        check(0 < self.min_score < 1, "min_score", self.min_score, "a number in (0, 1)")
        check(self.low_resolution >= 0, "low_resolution", self.low_resolution, "0 or more pixels")
        check(self.batch >= 1, "batch", self.batch, "1 or more")
        check_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Crop:
    """An image as the network gets it.

    size: (h, w) of the image. pixels: [3, H, W] uint8 BGR: the image with its margin, resized. box: [4] float32, where
    the image lies in it, in pixels.
    """

    size: tuple[int, int]
    pixels: np.ndarray
    box: np.ndarray


class DensePose:
    """Labels a person per crop, in batches of crops of one shape."""

    name = "densepose"
    version = 1

    network: torch.nn.Module
    device: torch.device

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(DensePoseOptions, self.name, options)
        self.lookup = load_table(TABLE, self.options.hands)
        self.weights = Path(self.options.weights)
        _require_files(self.options)

    @cached_property
    def _digest(self) -> str:
        return digest_file(self.weights)

    def describe(self) -> Mapping[str, object]:
        return describe(self.name, self.version, self.options, self._digest, NOT_THE_RESULT)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        own = self.options.model not in densepose_zoo.WEIGHTS
        return {"model configuration": digest_file(Path(self.options.model))} if own else {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        from pipeline.labelers.densepose_model import build, fill
        from pipeline.runtime.device import pick_device

        self.device = pick_device(runtime.device)
        self.network = build(self.options.model, self.device, self.options.min_score)
        fill(self.network, self.weights, self.options.model)

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        crops = [crop(image, self.options.min_size, self.options.margin) for image in images]
        shapes: dict[tuple[int, ...], list[int]] = {}
        for number, one in enumerate(crops):
            shapes.setdefault(one.pixels.shape, []).append(number)
        found: dict[int, Labeled] = {}
        for numbers in shapes.values():
            labels = run_in_batches(self._label, [crops[number] for number in numbers], self.options.batch)
            found.update(zip(numbers, labels, strict=True))
        return [found[number] for number in range(len(images))]

    def _label(self, crops: list[Crop]) -> list[Labeled]:
        """Label crops of one shape in one pass of the network."""
        import torch

        from pipeline.labelers.densepose_model import run
        from sorn.engine import autocast

        precision = self.options.precision
        if precision == "auto":
            precision = "fp16" if self.device.type == "cuda" else "fp32"
        boxes = np.stack([one.box for one in crops]) if self.options.mode == "given_box" else None
        with torch.inference_mode():
            with autocast(self.device, precision):
                people = run(self.network, np.stack([one.pixels for one in crops]), boxes)
            require_finite([scores for whom in people for scores in (whom.coarse, whom.fine)], self.name, precision)
            finish = self._detected if boxes is None else self._given
            return [finish(one, whom) for one, whom in zip(crops, people, strict=True)]

    def _given(self, one: Crop, people: People) -> Labeled:
        mask = self._parts(people, 0, one.size)
        return Labeled(mask, status_of(1, one.size[0], self.options.low_resolution) if mask.any() else Status.EMPTY)

    def _detected(self, one: Crop, people: People) -> Labeled:
        mask = np.full(one.size, BACKGROUND, np.uint8)
        boxes = fractions(people.boxes.cpu().numpy(), one.box)
        choice = choose(boxes, people.scores.cpu().numpy())
        if choice is None:
            return Labeled(mask, Status.EMPTY, people=0)
        left, top, width, height = whole_pixels(boxes[choice.number], one.size)
        paste(mask, self._parts(people, choice.number, (height, width)), left, top)
        status = status_of(choice.people, one.size[0], self.options.low_resolution) if mask.any() else Status.EMPTY
        return Labeled(mask, status, choice.people, choice.box, choice.score)

    def _parts(self, people: People, number: int, size: tuple[int, int]) -> np.ndarray:
        """Classes over the box of one of the people, [h, w] uint8."""
        from pipeline.labelers.densepose_model import hard_parts, soft_parts

        collapse = soft_parts if self.options.collapse == "soft" else hard_parts
        fine_size = min(size[0], DETAIL), min(size[1], DETAIL)
        parts = collapse(people.coarse[number], people.fine[number], fine_size, self.lookup)
        return resize_mask(parts.cpu().numpy(), size)


def _require_files(options: DensePoseOptions) -> None:
    """Raise LostFile for weights or a configuration that are not there, saying which to fetch and from where."""
    zoo = options.model in densepose_zoo.WEIGHTS
    if not zoo and not Path(options.model).is_file():
        raise LostFile(f"there is no configuration {options.model}", "Correct it: --set masks.options.model=...")
    if not Path(options.weights).is_file():
        what = f"there is no file {options.weights} with" if options.weights else "labeler densepose needs"
        fetch = f"Fetch {densepose_zoo.address(options.model)} and name" if zoo else "Name"
        remedy = f"{fetch} the file: --set masks.options.weights=FILE"
        raise LostFile(f"{what} the weights of {options.model}", remedy)


def crop(image: np.ndarray, shortest: int, margin: float) -> Crop:
    """[h, w, 3] uint8 RGB -> what the network sees of it."""
    height, width = image.shape[:2]
    above, beside = round(margin * height), round(margin * width)
    padded = np.pad(image, ((above, above), (beside, beside), (0, 0)), mode="edge") if margin else image
    size = network_size(padded.shape[0], padded.shape[1], shortest)
    pixels = np.ascontiguousarray(resize_image(padded, size)[:, :, ::-1].transpose(2, 0, 1))
    scale = np.array([size[1] / padded.shape[1], size[0] / padded.shape[0]] * 2)
    box = np.array([beside, above, beside + width, above + height]) * scale
    return Crop((height, width), pixels, box.astype(np.float32))


def network_size(height: int, width: int, shortest: int) -> tuple[int, int]:
    """Height and width of an image for the network.

    The shortest side is `min_size`, in the image's shape. Sides are rounded to a multiple of 32, which changes the
    shape by a few percent: then nothing is padded, crops of nearly the same shape share a batch, and a batch labels as
    single crops do. Of an image more than 4 times as long as wide the long side is limited.
    """
    scale = min(shortest / min(height, width), LONGEST * shortest / max(height, width))
    rows, columns = (max(1, round(side * scale / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns


def fractions(boxes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Boxes in fractions of the image.

    boxes: [n, 4] in pixels of the network's input, in which the image lies in frame [4].
    """
    corner, size = np.tile(frame[:2], 2), np.tile(frame[2:] - frame[:2], 2)
    inside: np.ndarray = (boxes - corner) / size
    return inside


def whole_pixels(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width, height of a box in whole pixels.

    box: [4] in fractions of an image of size (h, w). Each is cut off and sides are 1 or more, as upstream's converters
    do.
    """
    left, top, right, bottom = box * np.array([size[1], size[0]] * 2)
    return int(left), int(top), max(int(right - left), 1), max(int(bottom - top), 1)


def paste(mask: np.ndarray, parts: np.ndarray, left: int, top: int) -> None:
    """Write parts [h, w] into the mask at (left, top).

    What lies outside is cut off.
    """
    rows = slice(max(top, 0), max(top + parts.shape[0], 0))
    columns = slice(max(left, 0), max(left + parts.shape[1], 0))
    target = mask[rows, columns]
    first_row, first_column = rows.start - top, columns.start - left
    target[:] = parts[first_row : first_row + target.shape[0], first_column : first_column + target.shape[1]]
