"""Labeler densepose with small networks of random weights, where detectron2 is installed."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.labelers import densepose_model
from pipeline.labelers.base import Labeled, Source
from pipeline.labelers.densepose import DensePose
from pipeline.runs.config import Runtime
from sorn.sample import NO_SCORE, NOT_COUNTED, WHOLE, Status

ON_CPU = Runtime(device="cpu")

SMALL = """
VERSION: 2
MODEL:
  BACKBONE: {NAME: build_resnet_fpn_backbone}
  RESNETS: {DEPTH: 18, RES2_OUT_CHANNELS: 64, OUT_FEATURES: [res2, res3, res4, res5]}
  FPN: {IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 32}
  ANCHOR_GENERATOR: {SIZES: [[32], [64], [128], [256], [512]]}
  RPN: {IN_FEATURES: [p2, p3, p4, p5, p6]}
  ROI_HEADS: {NAME: DensePoseROIHeads, IN_FEATURES: [p2, p3, p4, p5], NUM_CLASSES: 1}
  ROI_BOX_HEAD: {NAME: FastRCNNConvFCHead, NUM_FC: 1, FC_DIM: 32, POOLER_TYPE: ROIAlign}
  ROI_DENSEPOSE_HEAD:
    NAME: DensePoseV1ConvXHead
    POOLER_TYPE: ROIAlign
    NUM_STACKED_CONVS: 2
    CONV_HEAD_DIM: 32
    DECODER_NUM_CLASSES: 32
    DECODER_CONV_DIMS: 32
"""
LEGACY = "    NUM_COARSE_SEGM_CHANNELS: 15\n    POOLER_RESOLUTION: 14\n    DECODER_ON: false\n"
CSE = "    PREDICTOR_NAME: DensePoseEmbeddingPredictor\n"

Make = Callable[..., dict[str, str]]


def needs_detectron2() -> None:
    absent = [name for name in ("detectron2", "densepose") if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"{' and '.join(absent)} not installed: densepose is not run (see requirements-densepose.txt)")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """(text of a configuration, optional change to the weights) -> options: files of it and of random weights."""
    needs_detectron2()

    def made(text: str, change: Callable[[dict[str, np.ndarray]], None] = lambda weights: None) -> dict[str, str]:
        (tmp_path / "small.yaml").write_text(text)
        torch.manual_seed(0)
        network = densepose_model.build(str(tmp_path / "small.yaml"), torch.device("cpu"), 0.5)
        weights = {}
        for name, value in network.state_dict().items():
            damp = 0.1 if "backbone.bottom_up" in name and "norm.weight" in name else 1.0  # or features overflow
            spread = 30.0 if "densepose_predictor" in name and name.endswith("weight") else 1.0  # or all scores equal
            weights[name] = value.numpy() * np.float32(damp * spread)
        change(weights)
        (tmp_path / "w.pkl").write_bytes(pickle.dumps({"model": weights, "__author__": "test"}, 4))
        return {"weights": str(tmp_path / "w.pkl"), "model": str(tmp_path / "small.yaml")}

    return made


def create(root: Path, **options: Any) -> DensePose:
    found = labelers.create("densepose", options, Source(Manifest("mine", "Mine"), root))
    assert isinstance(found, DensePose)
    return found


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def label(root: Path, images: list[np.ndarray], **options: Any) -> list[Labeled]:
    labeler = create(root, **{"min_size": 64, **options})
    labeler.prepare([], ON_CPU)
    found = labeler.label([], images)
    for one, image in zip(found, images, strict=True):
        assert one.mask.shape == image.shape[:2] and one.mask.dtype == np.uint8
        assert (one.status == Status.EMPTY) == (not one.mask.any())
    return found


def same(first: list[Labeled], second: list[Labeled]) -> bool:
    """But for the rounding of another batch size, and pixels where two classes are then equally good."""
    return all(
        (one.mask != two.mask).mean() < 0.001
        and (one.status, one.people) == (two.status, two.people)
        and np.allclose((*one.box, one.score), (*two.box, two.score), atol=1e-4)
        for one, two in zip(first, second, strict=True)
    )


def test_given_boxes_label_every_crop_and_run_no_detector(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make(SMALL)
    labeler = create(tmp_path, min_size=64, **options)
    labeler.prepare([], ON_CPU)
    for unused in (labeler.network.proposal_generator, labeler.network.roi_heads.box_head):
        monkeypatch.setattr(unused, "forward", None)
    images = pictures((128, 64), (128, 64), (63, 64), (90, 30), (1, 1))
    found = labeler.label([], images)
    assert [one.mask.shape for one in found] == [image.shape[:2] for image in images]
    assert all((one.people, one.box, one.score) == (NOT_COUNTED, WHOLE, NO_SCORE) for one in found)
    assert len(np.unique(found[0].mask)) > 2, "random weights that tell nothing apart test nothing"
    assert found[0].status == Status.OK and found[2].status == Status.LOW_RESOLUTION
    again = labeler.label([], images)
    assert all(np.array_equal(one.mask, two.mask) for one, two in zip(found, again, strict=True))


def test_a_batch_of_several_sizes_labels_as_single_crops_do(tmp_path: Path, make: Make) -> None:
    options = make(SMALL)
    images = pictures((128, 64), (100, 64), (126, 64), (64, 64), (128, 64))
    together = label(tmp_path, images, **options)
    assert same(together, [label(tmp_path, [image], **options)[0] for image in images])
    assert same(together, label(tmp_path, images, batch=1, **options))
    assert not np.array_equal(together[0].mask, together[4].mask)


def test_labels_are_those_of_the_upstream_rule(tmp_path: Path, make: Make) -> None:
    from densepose.converters import ToChartResultConverter
    from detectron2.structures import Boxes, Instances

    options = make(SMALL)
    (image,) = pictures((128, 64))
    (found,) = label(tmp_path, [image], collapse="hard", min_size=64, **options)
    labeler = create(tmp_path, **options)
    labeler.prepare([], ON_CPU)
    crop = Instances((128, 64), pred_boxes=Boxes(torch.tensor([[0.0, 0, 64, 128]])), pred_classes=torch.zeros(1).long())
    pixels = torch.from_numpy(image[:, :, ::-1].transpose(2, 0, 1).copy())
    with torch.no_grad():
        (theirs,) = labeler.network.inference([{"image": pixels, "height": 128, "width": 64}], [crop])
    people = theirs["instances"]
    result = ToChartResultConverter.convert(people.pred_densepose, people.pred_boxes)
    assert np.array_equal(found.mask, labeler.lookup[result.labels.numpy()])


def test_a_margin_changes_what_is_seen_but_not_the_size(tmp_path: Path, make: Make) -> None:
    options = make(SMALL)
    images = pictures((128, 64))
    plain, wide = (label(tmp_path, images, margin=margin, **options) for margin in (0.0, 0.25))
    assert wide[0].mask.any() and not np.array_equal(plain[0].mask, wide[0].mask)


def test_legacy_heads_of_15_coarse_channels(tmp_path: Path, make: Make) -> None:
    (found,) = label(tmp_path, pictures((128, 64)), **make(SMALL + LEGACY))
    assert len(np.unique(found.mask)) > 2


def anyone(weights: dict[str, np.ndarray]) -> None:
    """Box head: every proposal is a person with a score of 1 / (1 + e^-2) = 0.88."""
    weights["roi_heads.box_predictor.cls_score.weight"][:] = 0
    weights["roi_heads.box_predictor.cls_score.bias"][:] = (2, 0)


def test_the_detector_chooses_one_of_several_people(tmp_path: Path, make: Make) -> None:
    options = make(SMALL, anyone)
    images = pictures((128, 64), (128, 64), (100, 64))
    found = label(tmp_path, images, mode="detector", **options)
    for one, image in zip(found, images, strict=True):
        assert one.people > 1 and one.score == pytest.approx(0.8808, abs=1e-4)
        assert one.status == Status.SEVERAL_PEOPLE
        height, width = image.shape[:2]
        rows, columns = (np.flatnonzero(one.mask.any(axis=axis)) for axis in (1, 0))
        left, top, right, bottom = one.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        assert left * width - 1 <= columns[0] and columns[-1] <= right * width
        assert top * height - 1 <= rows[0] and rows[-1] <= bottom * height
    assert same(found, [label(tmp_path, [image], mode="detector", **options)[0] for image in images])


def test_the_detector_says_where_nobody_is(tmp_path: Path, make: Make) -> None:
    options = make(SMALL, anyone)
    for one in label(tmp_path, pictures((128, 64), (90, 64)), mode="detector", min_score=0.9, **options):
        assert (one.status, one.people, one.box, one.score) == (Status.EMPTY, 0, WHOLE, NO_SCORE)
        assert not one.mask.any()


def test_a_full_device_gets_smaller_batches(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    options = make(SMALL)
    images = pictures(*[(128, 64)] * 5)
    whole = label(tmp_path, images, **options)
    run = densepose_model.run

    def small(network: Any, pixels: np.ndarray, boxes: np.ndarray | None) -> list[densepose_model.People]:
        if len(pixels) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run(network, pixels, boxes)

    monkeypatch.setattr(densepose_model, "run", small)
    assert same(label(tmp_path, images, **options), whole)


def test_models_without_parts_are_refused(tmp_path: Path, make: Make) -> None:
    options = make(SMALL)
    Path(options["model"]).write_text(SMALL + CSE)
    with pytest.raises(
        UserError, match=r"small\.yaml predicts continuous surface embeddings \(CSE\), which have no body"
    ):
        label(tmp_path, [], **options)
    Path(options["model"]).write_text("VERSION: 2\n")
    with pytest.raises(UserError, match=r"small\.yaml configures no DensePose network of people"):
        label(tmp_path, [], **options)

    def embed(weights: dict[str, np.ndarray]) -> None:
        weights["roi_heads.densepose_predictor.embed_lowres.weight"] = np.zeros(1, np.float32)

    with pytest.raises(UserError, match=r"the network of weights .*w\.pkl predicts continuous surface embeddings"):
        label(tmp_path, [], **make(SMALL, embed))


def test_weights_of_another_network_are_refused(tmp_path: Path, make: Make) -> None:
    options = make(SMALL)
    Path(options["model"]).write_text(SMALL + LEGACY)
    with pytest.raises(
        UserError,
        match=r"w\.pkl are not of .*small\.yaml: \d+ tensors do not fit, e\.g\. roi_heads\.decoder\.p2\.0\.weight unk",
    ):
        label(tmp_path, [], **options)

    def without(weights: dict[str, np.ndarray]) -> None:
        del weights["backbone.fpn_lateral2.weight"]
        weights["backbone.fpn_lateral2.bias"] = np.zeros(31, np.float32)
        weights["pixel_mean"] = np.zeros(3, np.float32)  # of early releases, and no reason

    with pytest.raises(
        UserError, match=r"2 tensors do not fit, e\.g\. no backbone\.fpn_lateral2\.weight, .* is 31, not 32"
    ):
        label(tmp_path, [], **make(SMALL, without))


def test_configurations_that_cannot_be_read(tmp_path: Path, make: Make) -> None:
    options = make(SMALL)
    for text in ("MODEL: [", "MODEL: {NOTHING: 1}\n", "MODEL: !!python/object/apply:os.getcwd []\n"):
        Path(options["model"]).write_text(text)
        with pytest.raises(UserError, match=r"small\.yaml cannot be read as a configuration of DensePose"):
            label(tmp_path, [], **options)


def test_a_zoo_model_is_built_as_it_is_named() -> None:
    needs_detectron2()
    network = densepose_model.build("densepose_rcnn_R_50_FPN_DL_WC1M_s1x", torch.device("cpu"), 0.5)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["roi_heads.densepose_predictor.ann_index_lowres.weight"] == (512, 2, 4, 4)
    assert shapes["roi_heads.densepose_predictor.index_uv_lowres.weight"] == (512, 25, 4, 4)
    assert "roi_heads.densepose_predictor.fine_segm_confidence_lowres.weight" in shapes
    assert "roi_heads.densepose_head.ASPP.convs.0.0.weight" in shapes
