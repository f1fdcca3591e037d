"""DensePose's networks on batches of crops.

Reads weights and a user's own configuration. Imports detectron2 when it is used; no other module does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import UserError
from pipeline.labelers import densepose_zoo
from pipeline.labelers.pretrained_weights import read_weights
from sorn.parts import BACKGROUND, CLASSES

INSTALL = (
    "Install it as requirements-densepose.txt says: pip install -r requirements-densepose.txt, then, in a checkout of "
    "facebookresearch/detectron2, pip install --no-build-isolation --no-deps . ./projects/DensePose"
)
NO_PARTS = "predicts continuous surface embeddings (CSE), which have no body parts"
CHART_MODELS = "Use a chart model such as densepose_rcnn_R_50_FPN_s1x."
PATCHES = 24  # of the body's surface; fine scores have one channel more
# Kept per crop in detector mode, which shows a few people where a photograph shows dozens; each costs a pass of a head.
PROPOSALS, DETECTIONS = 100, 10


@dataclass(frozen=True)
class People:
    """The n people of one crop, on the device.

    boxes: [n, 4] left, top, right, bottom in pixels of the network's input; scores: [n] in [0, 1], the detector's, or 1
    for a given box; coarse: [n, K, s, s] and fine: [n, 25, s, s] float32, unnormalised, over the box.
    """

    boxes: Tensor
    scores: Tensor
    coarse: Tensor
    fine: Tensor


def build(model: str, device: torch.device, min_score: float) -> nn.Module:
    """The untrained network of a model.

    Its detector leaves out people below min_score. Raises UserError as `configuration` does.
    """
    config = configuration(model)
    from detectron2.modeling import build_model

    config.MODEL.DEVICE = str(device)
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min_score
    config.MODEL.RPN.POST_NMS_TOPK_TEST = PROPOSALS
    config.TEST.DETECTIONS_PER_IMAGE = DETECTIONS
    network: nn.Module = build_model(config).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # 7 % faster on a CPU


def configuration(model: str) -> Any:
    """detectron2's configuration of a model.

    model: a zoo model, or a user's .yaml of DensePose's kind. Raises UserError where detectron2 is missing and for a
    configuration without body parts.
    """
    try:
        from densepose import add_densepose_config
        from detectron2.config import get_cfg
    except ImportError as error:
        raise UserError(f"labeler densepose needs detectron2 and its project DensePose: {error}", INSTALL) from error
    config = get_cfg()
    add_densepose_config(config)
    if model in densepose_zoo.WEIGHTS:
        below = densepose_zoo.settings(model)
        config.merge_from_list([item for name, value in below.items() for item in (f"MODEL.{name}", value)])
    else:
        _merge_file(config, model)
    head = config.MODEL.ROI_DENSEPOSE_HEAD
    if "Embedding" in head.PREDICTOR_NAME:
        raise UserError(f"{model} {NO_PARTS}", CHART_MODELS)
    if config.MODEL.ROI_HEADS.NAME != "DensePoseROIHeads" or head.NUM_PATCHES != PATCHES:
        raise UserError(f"{model} configures no DensePose network of people", CHART_MODELS)
    return config


def _merge_file(config: Any, path: str) -> None:
    try:
        config.merge_from_file(path, allow_unsafe=False)  # unsafe YAML may call functions
    except Exception as error:  # yacs, fvcore and PyYAML each have their own
        raise UserError(
            f"{path} cannot be read as a configuration of DensePose: {str(error).splitlines()[0]}",
            "Take one from detectron2's projects/DensePose/configs, with the files it is based on.",
        ) from error


def fill(network: nn.Module, path: Path, model: str) -> None:
    """Load weights, all of them or none.

    Raises UserError for weights of another network, naming what does not fit.
    """
    weights = read_weights(path)
    if any("embed_lowres" in name or ".embedder." in name for name in weights):
        raise UserError(f"the network of weights {path} {NO_PARTS}", CHART_MODELS)
    # Early releases stored what the network now makes itself.
    weights = {key: value for key, value in weights.items() if "cell_anchors" not in key and "pixel_" not in key}
    own = network.state_dict()
    wrong = [f"no {key}" for key in own if key not in weights]
    wrong += [f"{key} unknown" for key in weights if key not in own]
    wrong += [
        f"{key} is {_shape(weights[key])}, not {_shape(value)}"
        for key, value in own.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if wrong:
        raise UserError(
            f"weights {path} are not of {model}: {len(wrong)} tensors do not fit, e.g. {', '.join(wrong[:3])}",
            "Name the model they were trained as: --set masks.options.model=...",
        )
    network.load_state_dict(weights)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def run(network: nn.Module, pixels: np.ndarray, boxes: np.ndarray | None) -> list[People]:
    """The people of each crop.

    pixels: [B, 3, H, W] uint8 BGR; 32 divides H and W, so that nothing is padded. boxes: [B, 4] in pixels, one person
    each, for whom neither proposals nor box heads are computed; None looks for people, best score first.
    """
    from detectron2.structures import Boxes, Instances

    images = [{"image": torch.from_numpy(image)} for image in pixels]
    if boxes is None:
        found = network.inference(images, do_postprocess=False)  # type: ignore[operator]
        return [_people(one, one.scores) for one in found]
    given = [
        Instances(pixels.shape[2:], pred_boxes=Boxes(torch.from_numpy(box)[None]), pred_classes=torch.zeros(1).long())
        for box in boxes
    ]
    found = network.inference(images, given, do_postprocess=False)  # type: ignore[operator]
    return [_people(one, torch.ones(1)) for one in found]


def _people(found: Any, scores: Tensor) -> People:
    if len(found) == 0:  # DensePose then leaves out its own field
        nobody = torch.empty(0)
        return People(torch.empty(0, 4), nobody, nobody, nobody)
    dense = found.pred_densepose
    return People(found.pred_boxes.tensor.float(), scores.float(), dense.coarse_segm.float(), dense.fine_segm.float())


def soft_parts(coarse: Tensor, fine: Tensor, size: tuple[int, int], lookup: np.ndarray) -> Tensor:
    """Most probable of our classes, [h, w] uint8. coarse: [K, s, s], fine: [25, s, s]; lookup: [25], fine -> class.

    P(class) = P(foreground) x the sum of softmax(fine) over the class's patches; P(background) has the rest. So the two
    halves of a limb support each other. P(foreground) = 1 - softmax(coarse)[0], for 2 channels and the 15 of legacy
    models alike. Scores are upsampled to the box first, as upstream does.
    """
    coarse, fine = _upsample(coarse, size).softmax(0), _upsample(fine, size).softmax(0)
    members = torch.from_numpy(lookup).to(fine.device) == torch.arange(len(CLASSES), device=fine.device)[:, None]
    parts = torch.tensordot(members.float(), fine, 1) * (1 - coarse[0])  # [8, h, w]
    parts[BACKGROUND] += coarse[0]
    best: Tensor = parts.argmax(0).to(torch.uint8)
    return best


def hard_parts(coarse: Tensor, fine: Tensor, size: tuple[int, int], lookup: np.ndarray) -> Tensor:
    """Our classes of upstream's rule: argmax(fine) where argmax(coarse) > 0.

    Shapes as in `soft_parts`. A foreground pixel whose best fine score is the background's becomes background.
    """
    labels = _upsample(fine, size).argmax(0) * (_upsample(coarse, size).argmax(0) > 0)
    return torch.from_numpy(lookup).to(labels.device)[labels].to(torch.uint8)


def _upsample(scores: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(scores[None], size, mode="bilinear", align_corners=False)[0]
