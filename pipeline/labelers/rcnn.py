"""torchvision's Mask and Keypoint R-CNN: silhouette and joints of one person.

Reads weights files. A network is called part by part: silhouette and joints are those of the chosen person alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.errors import LostFile, UserError
from pipeline.io.files import digest_file
from pipeline.labelers.batching import run_in_batches
from pipeline.labelers.person_choice import Choice, choose

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Found = TypeVar("Found")
Box = tuple[float, float, float, float]  # left, top, right, bottom in fractions of the image

DOWNLOAD = "download"
PERSON = 1  # COCO's id in both networks
LONGEST_SIDE = 1333  # of the networks' input, as in training
PROPOSALS = 200  # of the 1000 for a street full of things: a crop holds few people, and each costs time in the box head
DETECTIONS = 20  # per image
STRIDE = 32  # of the coarsest features; the transform pads to its multiples
NEAR_PEAK = 2  # cells of the 56 x 56 heat map around its peak that count as the joint's place
DIFFERENCES = 3  # named in an error


@dataclass(frozen=True)
class Published:
    """Published weights of torchvision; file: ends in digits of its sha256."""

    network: str
    enum: str
    file: str

    @property
    def url(self) -> str:
        return f"https://download.pytorch.org/models/{self.file}"

    @property
    def digits(self) -> str:
        return self.file.removesuffix(".pth").rpartition("-")[2]


MASK = Published("mask_rcnn", "MaskRCNN_ResNet50_FPN_Weights.COCO_V1", "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth")
KEYPOINT = Published(
    "keypoint_rcnn", "KeypointRCNN_ResNet50_FPN_Weights.COCO_V1", "keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
)


@dataclass(frozen=True)
class WeightsChoice:
    """Choice of weights: `chosen` is "download" or a file, `option` for --set."""

    published: Published
    chosen: str
    option: str

    @functools.cached_property
    def identity(self) -> str:
        """Identity of the weights: their sha256, or the name of published ones."""
        if self.chosen == DOWNLOAD:
            return f"{self.published.enum} {self.published.digits}"
        if not Path(self.chosen).is_file():
            raise LostFile(f"there is no weights file {self.chosen}", f"Name one: --set {self.option}=FILE")
        return digest_file(Path(self.chosen))

    def find(self) -> Path:
        """The weights file, downloaded into torch's cache if it is not there."""
        if self.chosen != DOWNLOAD:
            return Path(self.chosen)
        import torch

        url, path = self.published.url, Path(torch.hub.get_dir()) / "checkpoints" / self.published.file
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                torch.hub.download_url_to_file(url, str(path), self.published.digits)
            except (OSError, RuntimeError) as error:  # no network, or not the file that was published
                raise UserError(
                    f"{url} could not be downloaded: {error}",
                    f"Fetch that file with another machine and name it: --set {self.option}=FILE",
                ) from error
        if not digest_file(path).startswith(self.published.digits):
            raise UserError(
                f"{path} is damaged: its sha256 is not {self.published.digits}...",
                "Delete it: the next run fetches it again.",
            )
        return path


@dataclass(frozen=True)
class BackboneOutput:
    """A batch after the backbone.

    features: level -> [B, C, h, w]. images: after the network's transform. sizes: (height, width) of the originals.
    """

    images: Any
    features: dict[str, Tensor]
    sizes: list[tuple[int, int]]


class RCNN:
    """One network on a device, in evaluation mode.

    Raises UserError for weights that are missing or do not fit.
    """

    def __init__(self, weights: WeightsChoice, min_size: int, min_score: float, device: torch.device) -> None:
        network = build(weights.published, min_size, min_score)
        load(network, weights)
        self.network: Any = network.to(device)  # its parts have no types
        self.device = device

    def see(self, images: list[np.ndarray]) -> BackboneOutput:
        """images: [h, w, 3] uint8 RGB."""
        import torch

        pixels = [torch.tensor(image, device=self.device).permute(2, 0, 1).float() / 255 for image in images]
        batch, _ = self.network.transform(pixels)
        return BackboneOutput(batch, self.network.backbone(batch.tensors), [image.shape[:2] for image in images])

    def choose_people(self, seen: BackboneOutput) -> list[Choice | None]:
        """Per image the chosen person, None without detections."""
        heads, sizes = self.network.roi_heads, seen.images.image_sizes
        proposals, _ = self.network.rpn(seen.images, seen.features)
        pooled = heads.box_head(heads.box_roi_pool(seen.features, proposals, sizes))
        found = heads.postprocess_detections(*heads.box_predictor(pooled), proposals, sizes)
        choices = []
        for boxes, scores, labels, (height, width) in zip(*found, sizes, strict=True):
            fractions = boxes[labels == PERSON] / boxes.new_tensor([width, height, width, height])
            choices.append(choose(fractions.cpu().numpy(), scores[labels == PERSON].cpu().numpy()))
        return choices

    def silhouettes(self, seen: BackboneOutput, boxes: list[Box]) -> list[np.ndarray]:
        """Per image, at its size, bool [h, w]: the person in its box."""
        import torch
        from torchvision.models.detection.roi_heads import maskrcnn_inference, paste_masks_in_image

        heads = self.network.roi_heads
        pooled = heads.mask_roi_pool(
            seen.features, self._boxes(seen.images.image_sizes, boxes), seen.images.image_sizes
        )
        logits = heads.mask_predictor(heads.mask_head(pooled))  # [B, 91, 28, 28]
        masks = maskrcnn_inference(logits, [torch.full((1,), PERSON, device=self.device)] * len(boxes))
        pasted = (
            paste_masks_in_image(mask, box, size)[0, 0] >= 0.5
            for mask, box, size in zip(masks, self._boxes(seen.sizes, boxes), seen.sizes, strict=True)
        )
        return [mask.cpu().numpy() for mask in pasted]

    def joints(self, seen: BackboneOutput, boxes: list[Box]) -> list[np.ndarray]:
        """Per image keypoints [17, 3] float32: x, y in fractions, confidence; one box each.

        torchvision's own score is the height of the heat map's peak, a logit. The loss is a softmax over the map, so
        that only differences of logits mean anything (pytorch/vision#7063). The confidence here is the probability, by
        that softmax, that the joint lies within NEAR_PEAK cells of the peak: near 1 for one sharp peak, near 0 where
        the network cannot tell.
        """
        import torch
        from torchvision.models.detection.roi_heads import keypointrcnn_inference

        heads, sizes = self.network.roi_heads, seen.images.image_sizes
        within = self._boxes(sizes, boxes)
        pooled = heads.keypoint_head(heads.keypoint_roi_pool(seen.features, within, sizes))
        logits = heads.keypoint_predictor(pooled)  # [B, 17, 56, 56]
        places, _ = keypointrcnn_inference(logits, within)
        confidences = peak_probability(logits)
        found = []
        for place, confidence, (height, width) in zip(places, confidences, sizes, strict=True):
            fractions = place[0, :, :2] / place.new_tensor([width, height])
            found.append(torch.cat([fractions, confidence[:, None]], dim=1).cpu().numpy())
        return found

    def _boxes(self, sizes: Iterable[tuple[int, int]], boxes: list[Box]) -> list[Tensor]:
        """Fractions -> pixels of images of these sizes, [1, 4] each."""
        import torch

        return [
            torch.tensor([box], device=self.device) * torch.tensor([[w, h, w, h]], device=self.device)
            for box, (h, w) in zip(boxes, sizes, strict=True)
        ]


def peak_probability(logits: Tensor) -> Tensor:
    """Heat maps [B, K, H, W] -> [B, K] in [0, 1]: the softmax's share within NEAR_PEAK cells of its peak."""
    from torch.nn import functional

    chances = logits.flatten(2).softmax(dim=2)  # [B, K, H W]
    window = 2 * NEAR_PEAK + 1
    around = functional.avg_pool2d(
        chances.view_as(logits), window, stride=1, padding=NEAR_PEAK, count_include_pad=True, divisor_override=1
    )
    peak = logits.flatten(2).argmax(dim=2, keepdim=True)
    return around.flatten(2).gather(2, peak)[:, :, 0].clamp(0, 1)


def build(published: Published, min_size: int, min_score: float) -> nn.Module:
    """The untrained network that the published weights belong to."""
    from torchvision.models.detection import KeypointRCNN, MaskRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops import MultiScaleRoIAlign
    from torchvision.ops.misc import FrozenBatchNorm2d

    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d)
    kind, classes = (MaskRCNN, 91) if published is MASK else (KeypointRCNN, 2)
    network = kind(
        backbone,
        classes,
        min_size=min_size,
        max_size=LONGEST_SIDE,
        rpn_post_nms_top_n_test=PROPOSALS,
        box_score_thresh=min_score,
        box_detections_per_img=DETECTIONS,
    )
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # as the published weights were trained, before pytorch/vision#2933
        elif isinstance(module, MultiScaleRoIAlign):
            _settle_scales(module)
    built: nn.Module = network.eval()
    return built


def _settle_scales(pooler: Any) -> None:
    """A pooler takes the scales of all features, for good, from the first image it meets, and wrongly from one of few
    rows, which padding makes many times higher. So it meets a square first.
    """
    import torch

    side = 8 * STRIDE
    features = {str(level): torch.zeros(1, 1, side // 4 >> level, side // 4 >> level) for level in range(4)}
    pooler(features, [torch.tensor([[0.0, 0.0, side, side]])], [(side, side)])


def load(network: nn.Module, weights: WeightsChoice) -> None:
    """Fill the network with a file's tensors, all and no other.

    Nothing in the file is run. Raises UserError naming the first differences for weights of another architecture.
    """
    from pipeline.labelers.pretrained_weights import read_weights

    path = weights.find()
    differences = fill(network, read_weights(path))
    if differences:
        shown = "; ".join(differences[:DIFFERENCES])
        raise UserError(
            f"{path} does not fit {weights.published.network} ({len(differences)} differences): {shown}",
            f"Give torchvision's {weights.published.file}: --set {weights.option}=FILE",
        )


def fill(network: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Differences between a file's tensors and the network's, in words.

    Empty when they fit, and the network is filled. torchvision renames what it published under older names while it
    loads, so that only loading shows it.
    """
    try:
        fit = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:  # of the first line nothing is to be learned
        return [line.strip() for line in str(error).splitlines()[1:]]
    return [f"{name} is missing" for name in fit.missing_keys] + [f"{name} is unknown" for name in fit.unexpected_keys]


def in_alike_batches(
    work: Callable[[list[np.ndarray]], list[Found]], images: list[np.ndarray], min_size: int, batch: int
) -> list[Found]:
    """Results of `work`, in batches of images that get the same padding.

    At most `batch` at a time, results in the order of the images. So a result does not depend on which other images
    were there: padding changes what a network sees at the border.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(images):
        groups.setdefault(_padded(image.shape[:2], min_size), []).append(number)
    results: dict[int, Found] = {}
    for numbers in groups.values():
        found = run_in_batches(work, [images[number] for number in numbers], batch)
        results.update(zip(numbers, found, strict=True))
    return [results[number] for number in range(len(images))]


def _padded(size: tuple[int, ...], min_size: int) -> tuple[int, int]:
    """Height and width of an image in the network, in strides."""
    scale = min(min_size / min(size), LONGEST_SIDE / max(size))
    height, width = (math.ceil(max(math.floor(side * scale), 1) / STRIDE) for side in size)
    return height, width
