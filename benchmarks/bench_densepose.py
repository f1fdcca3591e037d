"""DensePose on a CPU: the labeler's given-box mode against detectron2's default predictor. Reads crops and weights.

Theirs is what every tutorial does: one image at a time, shortest side 800, 1000 proposals, BGR. It is given one
detection per crop, the fewest that label anything. Ours is the labeler as configured by default, resizing and collapse
to the eight classes included. Without --weights the network is random, damped so that its activations stay finite:
speed is measured all the same, agreement is not. Run: python benchmarks/bench_densepose.py [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Figure, emit, interleave, median

from pipeline import labelers
from pipeline.datasets.class_tables import load_table
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.io.images import decode
from pipeline.labelers import densepose_model
from pipeline.labelers.base import Source
from pipeline.labelers.densepose import TABLE, fractions, paste, whole_pixels
from pipeline.labelers.densepose_zoo import WEIGHTS
from pipeline.labelers.person_choice import choose
from pipeline.runs.config import Runtime

NAME = "densepose"
THEIRS, OURS = "detectron2's default predictor", "given box (ours)"
GOAL = 5.0

Masks = list[np.ndarray]


def random_weights(model: str, folder: Path) -> Path:
    """Random weights under which every proposal is a person and no activation overflows."""
    torch.manual_seed(0)
    weights = densepose_model.build(model, torch.device("cpu"), 0.5).state_dict()
    for name, value in weights.items():
        if "bottom_up" in name and name.endswith("conv3.norm.weight"):
            value *= 0.1  # of the branches that residual blocks add up
    weights["roi_heads.box_predictor.cls_score.weight"].zero_()
    weights["roi_heads.box_predictor.cls_score.bias"].copy_(torch.tensor([2.0, 0.0]))
    torch.save(weights, folder / "random.pth")
    return folder / "random.pth"


def our_way(model: str, weights: Path, images: Masks) -> Callable[[], Masks]:
    labeler = labelers.create(
        NAME, {"model": model, "weights": str(weights)}, Source(Manifest("bench", "Bench"), Path())
    )
    labeler.prepare([], Runtime(device="cpu"))
    return lambda: [found.mask for found in labeler.label([], images)]


def their_way(model: str, weights: Path, images: Masks) -> Callable[[], Masks]:
    from densepose.converters import ToChartResultConverter
    from detectron2.engine import DefaultPredictor

    config = densepose_model.configuration(model)
    config.MODEL.DEVICE = "cpu"
    config.MODEL.WEIGHTS = ""
    config.TEST.DETECTIONS_PER_IMAGE = 1
    config.DATASETS.TEST = ()
    predictor = DefaultPredictor(config)
    densepose_model.fill(predictor.model, weights, model)
    lookup = load_table(TABLE, "lower_arm")

    def label(image: np.ndarray) -> np.ndarray:
        mask = np.zeros(image.shape[:2], np.uint8)
        people: Any = predictor(image[:, :, ::-1])["instances"]
        if len(people) == 0:
            return mask
        size = image.shape[:2]
        boxes = fractions(people.pred_boxes.tensor.numpy(), np.array([0, 0, size[1], size[0]]))
        chosen = choose(boxes, people.scores.numpy())
        assert chosen is not None
        one = people[[chosen.number]]
        labels = ToChartResultConverter.convert(one.pred_densepose, one.pred_boxes).labels
        left, top, _, _ = whole_pixels(boxes[chosen.number], size)
        paste(mask, lookup[labels.numpy()].astype(np.uint8), left, top)
        return mask

    return lambda: [label(image) for image in images]


def agreement(ours: Masks, theirs: Masks) -> dict[str, Figure]:
    """Share of equal pixels, of all and of those that either calls a part; share of crops where theirs has nobody."""
    equal = np.concatenate([(one == two).ravel() for one, two in zip(ours, theirs, strict=True)])
    person = np.concatenate([((one > 0) | (two > 0)).ravel() for one, two in zip(ours, theirs, strict=True)])
    return {
        "agreement_all_pixels": Figure(float(equal.mean())),
        "agreement_on_people": Figure(float(equal[person].mean()) if person.any() else 1.0),
        "default_finds_nobody": Figure(float(np.mean([not mask.any() for mask in theirs]))),
    }


def read_crops(folder: str, number: int) -> Masks:
    """The first crops of a folder, or noise of a crop's size: what is in a crop changes no time."""
    if not folder:
        return list(np.random.default_rng(0).integers(0, 256, (number, 256, 128, 3), dtype=np.uint8))
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images = [image for image in map(decode, paths[:number]) if image is not None]
    if not images:
        raise UserError(f"there are no images in {folder}", "Name a folder of crops: --images FOLDER")
    return images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 rounds of one crop")
    parser.add_argument("--weights", default="", help="trained weights; adds how far the labels agree, with --images")
    parser.add_argument("--images", default="", help="folder of crops of people")
    parser.add_argument("--model", default="densepose_rcnn_R_50_FPN_s1x", choices=sorted(WEIGHTS))
    arguments = parser.parse_args()
    rounds, number = (2, 1) if arguments.quick else (5, 4)
    try:
        densepose_model.configuration(arguments.model)
    except UserError as error:
        print(error)
        emit(NAME, {}, {})
        return
    images = read_crops(arguments.images, number)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(arguments.weights) if arguments.weights else random_weights(arguments.model, Path(folder))
        ways = {
            THEIRS: their_way(arguments.model, weights, images),
            OURS: our_way(arguments.model, weights, images),
        }
    print(f"{len(images)} crops, {torch.get_num_threads()} threads, {arguments.model}, {rounds} rounds")
    rows = {name: [one / len(images) for one in times] for name, times in interleave(ways, rounds).items()}
    ratio = median(rows[THEIRS]) / median(rows[OURS])
    figures = {"given_box_over_default": Figure(ratio, f">={GOAL:g}", ratio >= GOAL)}
    if arguments.weights and arguments.images:
        figures |= agreement(ways[OURS](), ways[THEIRS]())
    emit(NAME, rows, figures, "s per crop")


if __name__ == "__main__":
    main()
