"""Configuration of the stages: frozen, validated dataclasses.

The comment below each field gives its reason. Reads no file, needs no torch.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, field

from pipeline.runtime.arithmetic import INT8
from sorn.config import (
    DANET_BACKBONES,
    STRIDE,
    LossConfig,
    ScheduleConfig,
    SORNConfig,
    any_seed,
    check,
    check_choice,
    check_fields,
    choice,
)
from sorn.metrics import AP_FORMULAS
from sorn.parts import PART_TAU

PRECISIONS, EVAL_PRECISIONS = ("auto", "fp32", "bf16", "fp16"), ("auto", "fp32", "bf16", "fp16", INT8)
EVAL_SPLITS = ("test", "val")
VISIBILITIES, EITHER = ("network", "pose", "segmenter"), "either"  # of eval.visibility; of eval.place
BACKENDS = ("threads", "loky", "dask", "ray")


@dataclass(frozen=True)
class MasksConfig:
    """Stage 1: content of the shards."""

    image_size: tuple[int, int] = (384, 128)
    # Height, width of image and mask in the shards; Section IV-B.
    splits: tuple[str, ...] = ("train",)
    # Splits whose images are labelled; the others are stored as `unlabeled`: only training reads labels.
    shard_images: int = 1024
    # Images per shard: the unit of resuming.
    options: dict[str, object] = field(default_factory=dict)
    # The labeler's own options, e.g. {"table": "lip20", "hands": "lower_arm"}; the labeler rejects unknown ones.
    keypoints: str = "none"
    # Keypoint finder for the images of all splits, for eval.visibility = "pose": "none", "joints" (a CSV beside the
    # images; SynPed has it), "keypoint_rcnn", "blazepose", or one from outside (docs/labelers.md).
    keypoint_options: dict[str, object] = field(default_factory=dict)
    # The keypoint finder's own options.
    leave_out: str = ""
    # A marks.csv of the labels page: its images do not train the segmentation loss, and are stored as `left_out`.
    overrides: str = ""
    # A folder of mended masks, laid over the labeler's: see sorn masks export.

    def __post_init__(self) -> None:
        expected = f"height and width that {STRIDE} divides (the backbone's stride)"
        check(_whole(self.image_size, STRIDE), "masks.image_size", self.image_size, expected)
        check(self.shard_images >= 1, "masks.shard_images", self.shard_images, "1 or more")


@dataclass(frozen=True)
class DanetConfig:
    """Training of the labeler DANet on the split `labeler`.

    DANet is the paper's own labeler (Fu et al., CVPR 2019).
    """

    backbone: str = choice("resnet50", DANET_BACKBONES)
    # Dilated, output stride 8. The paper names the network, not its backbone. resnet18 trains on a CPU.
    image_size: tuple[int, int] = (256, 128)
    # Height, width of the crops it is trained on and by default labels at.
    width: int = 0
    # Channels of the heads. 0 is a quarter of the backbone's, as in the DANet paper; eight classes need fewer.
    epochs: int = 40
    # Passes over the crops of the split.
    batch_size: int = 16
    # Crops per step.
    base_lr: float = 1e-3
    # Of AdamW; falls to 0 as (1 - progress)^0.9 after a short linear warm-up.
    weight_decay: float = 1e-2
    # Of AdamW.
    aux_weight: float = 0.4
    # Of the losses of the position and the channel attention's own heads; the fused sum has weight 1.
    flip: float = 0.5
    # Probability of a horizontal flip.
    zoom: float = 0.25
    # A crop shows at least 1 - z of the image's width and height.
    disturb: float = 0.4
    # Chances of a crop without head or legs, of one that a patch of another image covers, and of a coarser one. A short
    # training learns more from fewer of them.
    jitter: float = 0.4
    # Brightness, contrast, saturation and each colour channel are scaled within [1 - j, 1 + j].
    init: str = "imagenet"
    # Backbone weights: "imagenet" (see sorn models), "none", a file, or the name of a network that ships.
    seed: int = any_seed(largest=2**43)
    # Of initial weights, shuffling and the changes of crops.
    precision: str = choice("auto", PRECISIONS)
    # auto: bf16 where the device computes it, else fp16 on a GPU, fp32 on a CPU.

    def __post_init__(self) -> None:
        check_fields("danet", self)
        fits, expected = _whole(self.image_size, 8), "height and width that 8 divides (the output stride)"
        check(fits, "danet.image_size", self.image_size, expected)
        check(self.width == 0 or self.width >= 8, "danet.width", self.width, "8 or more channels, or 0")
        check(self.epochs >= 1, "danet.epochs", self.epochs, "1 or more")
        check(self.batch_size >= 2, "danet.batch_size", self.batch_size, "2 or more (batch normalisation)")
        check(self.base_lr > 0, "danet.base_lr", self.base_lr, "a positive number")
        check(self.weight_decay >= 0, "danet.weight_decay", self.weight_decay, "0 or more")
        check(self.aux_weight >= 0, "danet.aux_weight", self.aux_weight, "0 or more")
        check(0 <= self.flip <= 1, "danet.flip", self.flip, "a probability")
        check(0 <= self.zoom < 1, "danet.zoom", self.zoom, "a number in [0, 1)")
        check(0 <= self.disturb <= 1, "danet.disturb", self.disturb, "a probability")
        check(0 <= self.jitter < 1, "danet.jitter", self.jitter, "a number in [0, 1)")


@dataclass(frozen=True)
class TrainConfig:
    """Stage 2: the optimisation, besides [model], [loss] and [schedule]."""

    batch_size: int = 32
    # Section IV-B.
    seed: int = any_seed()
    # Of initial weights, shuffling and flips.
    flip: float = 0.5
    # Probability of a horizontal flip, the paper's only augmentation.
    zoom: float = 0.0
    # Not in the paper, nor are the next four: an image shows at least 1 - z of its width and height.
    partial: float = 0.0
    # Probability that head or legs are cut away and the rest is stretched to the size of the image.
    cover: float = 0.0
    # Probability that a patch of another image covers a place; in the mask, what it hides is background.
    coarse: float = 0.0
    # Probability that an image comes from fewer pixels, as a person far away does.
    jitter: float = 0.0
    # Brightness, gamma, contrast, saturation are scaled within [1 - j, 1 + j], colours against each other by less.
    init: str = "imagenet"
    # "imagenet" (see sorn models), "none", a backbone's .pth, the .safetensors of a training, or a network that ships.
    precision: str = choice("auto", PRECISIONS)
    # auto: bf16 where the device computes it, else fp16 on a GPU, fp32 on a CPU. Another precision is another result.
    weight_decay: float = 0.0
    # Open in the paper.
    last_batch: str = choice("drop", ("drop", "keep"))
    # "drop" or "keep" an incomplete last batch; one image is left out where batch normalisation needs two.
    accumulate: int = 1
    # A batch passes in this many pieces, whose gradients add up: less memory, but batch normalisation sees a piece.
    batch_norm: str = choice("local", ("local", "sync"))
    # With several processes: "local" to each, or "sync", over the whole batch as one process computes it.
    norms: str = choice("batch", ("batch", "frozen"))
    # Batch norms of the backbone: "batch" learns them, as the paper; "frozen" keeps those of the start, of many
    # images, which small batches would blur. Norms after the backbone always learn; with init = "none" all do.
    early: str = choice("learned", ("learned", "frozen"))
    # Layers of the backbone before its first map, of stride 8: "learned", as the paper and with init = "none"; "frozen"
    # as in the start: photographs teach edges and colours better than rendered images, and the steps are faster.
    average: float = 0.0
    # Decay of an average of the weights over the steps, such as 0.999; the average is evaluated and kept. 0 is none, as
    # the paper. Single steps are noisy where the rate is high or the images are few.
    compile: bool = False
    # torch.compile the network: minutes before the first step, then faster steps on a GPU.
    validate_every: int = 0
    # Epochs between evaluations of the val split on the way; 0 is never.
    keep: str = choice("last", ("last", "best"))
    # Weights of the "last" epoch, as the paper, or of the "best" one: the highest mAP on val; needs validate_every.

    def __post_init__(self) -> None:
        check_fields("train", self)
        check(self.batch_size >= 2, "train.batch_size", self.batch_size, "2 or more (batch normalisation)")
        for name in ("flip", "partial", "cover", "coarse"):
            check(0 <= getattr(self, name) <= 1, f"train.{name}", getattr(self, name), "a probability")
        for name in ("zoom", "jitter"):
            check(0 <= getattr(self, name) < 1, f"train.{name}", getattr(self, name), "a number in [0, 1)")
        check(self.weight_decay >= 0, "train.weight_decay", self.weight_decay, "0 or more")
        check(
            self.accumulate >= 1 and self.batch_size >= 2 * self.accumulate and self.batch_size % self.accumulate == 0,
            "train.accumulate",
            self.accumulate,
            f"a divisor of train.batch_size ({self.batch_size}) that leaves 2 images or more",
        )
        check(0 <= self.average < 1, "train.average", self.average, "a number in [0, 1)")
        check(self.validate_every >= 0, "train.validate_every", self.validate_every, "0 (never) or more epochs")
        kept = self.keep == "last" or self.validate_every > 0
        check(kept, "train.keep", self.keep, "last, unless validate_every is set")


@dataclass(frozen=True)
class EvalConfig:
    """Stage 3: protocol and report."""

    split: str = choice("test", EVAL_SPLITS)
    # "val" for every choice anyone makes, "test" for the number that is reported.
    protocol: str = "default"
    # A protocol named in the dataset's manifest, e.g. "occluded" or "partial" of partial_reid.
    tau: float = 0.15
    # Visibility threshold of Eq. 12, Section IV-B.
    tau_sweep: tuple[float, ...] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8)
    # Other thresholds that the report shows beside it, as in Figure 8; empty for none.
    part_tau: float = PART_TAU
    # Least share of an image that a visible part group has, for networks with model.part_branch; not in the paper.
    colour: bool | None = None
    # Also rank by colour histograms of stripes, a floor without training. Not set: yes, but finished ones stay as made.
    rerank: bool = False
    # Also re-rank the fullest variant by k-reciprocal neighbours (sorn/rerank.py): minutes for a large gallery.
    rerank_k1: int = 20
    # Of re-ranking: neighbours compared (Zhong et al., CVPR 2017).
    rerank_k2: int = 6
    # Of re-ranking: nearest images whose descriptions are averaged.
    rerank_weight: float = 0.3
    # Of re-ranking: share of the similarity as it was.
    average_precision: str = choice("standard", tuple(AP_FORMULAS))
    # "standard": mean of the precision at hits; "trapezoid": the mean of neighbouring precisions, as in PGFA.
    shots: int = 0
    # Gallery images per pid: 0 = all, 1 = single-gallery-shot, drawn `trials` times.
    trials: int = 100
    # Draws of the single-shot gallery.
    seed: int = any_seed()
    # Of those draws and of the queries shown in the report.
    ranked_queries: int = 8
    # Queries shown as ranked lists.
    ranked_gallery: int = 10
    # Gallery images shown per query.
    batch_size: int = 64
    # Images per forward pass of feature extraction; on a CPU at most 16, on every core its own.
    precision: str = choice("auto", EVAL_PRECISIONS)
    # Of feature extraction; auto as in training. int8: on a CPU, by OpenVINO (docs/evaluation.md; extra "int8").
    flip: bool = False
    # Features and the network's visibility scores are means over an image and its mirror image: twice the time.
    adapt_norms: bool = False
    # Batch norms take means and variances of the gallery's images, without labels; the report names it.
    place: bool | str = choice(False, (False, True, EITHER))
    # Cut pictures are put where the parts in them belong, by the network's own part masks, so it needs all 8 labels.
    # "either": a cut query is compared as it is and at its place, the larger similarity counts; the gallery stays.
    tracks: bool = False
    # Features are means over the frames of each track, the column track of a list (sorn/tracks.py).
    visibility: str = choice("network", VISIBILITIES)
    # Where Eq. 11's scores come from: "network" (its semantic branch), "pose" ("+P" of Table III: the highest
    # confidence of a keypoint inside the stripe; needs masks.keypoints), or "segmenter" ("+S": another network's
    # semantic branch).
    segmenter: str = ""
    # That network: the folder of its training, e.g. runs/market1501-densepose/train, or the name of one that ships.

    def __post_init__(self) -> None:
        check_fields("eval", self)
        check(
            (self.visibility == "segmenter") == bool(self.segmenter),
            "eval.segmenter",
            self.segmenter,
            'a training folder or a network that ships, with eval.visibility = "segmenter", and nothing without',
        )
        plain = not (self.adapt_norms and self.precision == INT8)
        check(plain, "eval.adapt_norms", True, "false with eval.precision = int8, whose norms are folded")
        by_network = not self.place or self.visibility == "network"
        check(by_network, "eval.place", self.place, 'false, unless eval.visibility = "network"')
        single = self.place != EITHER or not (self.rerank or self.tracks)
        check(single, "eval.place", self.place, "false or true with eval.rerank or eval.tracks: queries have one view")
        for name in ("tau", "part_tau"):
            check(0 <= getattr(self, name) <= 1, f"eval.{name}", getattr(self, name), "a number in [0, 1]")
        rising = list(self.tau_sweep) == sorted({tau for tau in self.tau_sweep if 0 <= tau <= 1})
        check(rising, "eval.tau_sweep", self.tau_sweep, "rising numbers in [0, 1]")
        near = f"1 to eval.rerank_k1 ({self.rerank_k1})"
        check(1 <= self.rerank_k2 <= self.rerank_k1, "eval.rerank_k2", self.rerank_k2, near)
        check(0 <= self.rerank_weight <= 1, "eval.rerank_weight", self.rerank_weight, "a number in [0, 1]")
        check(self.shots in (0, 1), "eval.shots", self.shots, "0 (all-gallery) or 1 (single-gallery-shot)")
        check(self.ranked_queries >= 0, "eval.ranked_queries", self.ranked_queries, "0 or more")
        for name in ("trials", "ranked_gallery", "batch_size"):
            check(getattr(self, name) >= 1, f"eval.{name}", getattr(self, name), "1 or more")


@dataclass(frozen=True)
class Runtime:
    """Settings that cannot change a result; not part of any fingerprint."""

    workers: int = 2
    device: str = "auto"
    backend: str = "threads"
    # How CPU work of the masks stage is spread: "threads" of this process, or `workers` processes of joblib's "loky",
    # "dask" or "ray" (a cluster that exists already).

    def __post_init__(self) -> None:
        check(self.workers >= 0, "workers", self.workers, "0 or more processes")
        check_choice("backend", self.backend, BACKENDS)


@dataclass(frozen=True)
class Config:
    """All options, one field per section of the TOML files."""

    danet: DanetConfig = field(default_factory=DanetConfig)
    masks: MasksConfig = field(default_factory=MasksConfig)
    model: SORNConfig = field(default_factory=SORNConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    runtime: Runtime = field(default_factory=Runtime)


SECTIONS = {name: kind for name, kind in typing.get_type_hints(Config).items() if name != "runtime"}


def _whole(size: tuple[int, int], stride: int) -> bool:
    return all(side > 0 and side % stride == 0 for side in size)
