"""Configuration of the stages: presets and the user's TOML files -> one frozen, validated Config. No torch.

A configuration file has the sections [labeler], [masks], [model], [loss], [schedule], [train], [eval] and may start
from a preset with `base = "paper"`; `--set section.field=value` on the command line overrides both.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from sorn.config import DANET_BACKBONES, LossConfig, ScheduleConfig, SORNConfig, check, check_choice
from sorn.metrics import AP_FORMULAS

PRESET_DIR = Path(__file__).parent / "presets"

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
EVAL_SPLITS = ("test", "val")
VISIBILITIES = ("network", "pose")
BACKENDS = ("threads", "loky", "dask", "ray")
OPTION_TABLES = ("options", "pose_options")  # whose own keys --set reaches: --set masks.options.table=lip20


@dataclass(frozen=True)
class MasksConfig:
    """Stage 1: what is written into the shards."""

    image_size: tuple[int, int] = (384, 128)
    # Height, width of image and mask in the shards; Section IV-B.
    splits: tuple[str, ...] = ("train",)
    # Splits whose images are labelled; the others are stored as `unlabeled`: only training reads labels.
    shard_images: int = 1024
    # Images per shard: the unit of resuming.
    options: dict[str, Any] = field(default_factory=dict)
    # The labeler's own options, e.g. {"table": "lip20", "hands": "lower_arm"}; the labeler rejects unknown ones.
    pose: str = "none"
    # Who finds the joints stored beside the masks of all splits, for eval.visibility = "pose": "none", "joints" (a CSV
    # beside the images; SynPed has it) or "keypoint_rcnn".
    pose_options: dict[str, Any] = field(default_factory=dict)
    # The pose finder's own options.

    def __post_init__(self) -> None:
        height, width = self.image_size
        check(
            height % 16 == 0 and width % 16 == 0 and height > 0 and width > 0,
            "masks.image_size",
            self.image_size,
            "height and width that 16 divides (the backbone's stride)",
        )
        check(self.shard_images >= 1, "masks.shard_images", self.shard_images, "1 or more")


@dataclass(frozen=True)
class LabelerConfig:
    """Training of the labeler DANet on the split `labeler` (the paper's own labeler; Fu et al., CVPR 2019)."""

    backbone: str = "resnet50"
    # Dilated, output stride 8. The paper names the network, not its backbone. resnet18 trains on a CPU.
    image_size: tuple[int, int] = (256, 128)
    # Height, width of the crops it is trained on and by default labels at.
    epochs: int = 40
    batch_size: int = 16
    base_lr: float = 1e-3
    # Of AdamW; falls to 0 as (1 - progress)^0.9 after a short linear warm-up.
    weight_decay: float = 1e-2
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
    # Backbone weights: "imagenet" (torchvision), "none", or a file.
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_choice("labeler.backbone", self.backbone, DANET_BACKBONES)
        check(
            all(side > 0 and side % 8 == 0 for side in self.image_size),
            "labeler.image_size",
            self.image_size,
            "height and width that 8 divides (the output stride)",
        )
        check(self.epochs >= 1, "labeler.epochs", self.epochs, "1 or more")
        check(self.batch_size >= 2, "labeler.batch_size", self.batch_size, "2 or more (batch normalisation)")
        check(self.base_lr > 0, "labeler.base_lr", self.base_lr, "a positive number")
        check(self.weight_decay >= 0, "labeler.weight_decay", self.weight_decay, "0 or more")
        check(self.aux_weight >= 0, "labeler.aux_weight", self.aux_weight, "0 or more")
        check(0 <= self.flip <= 1, "labeler.flip", self.flip, "a probability")
        check(0 <= self.zoom < 1, "labeler.zoom", self.zoom, "a number in [0, 1)")
        check(0 <= self.disturb <= 1, "labeler.disturb", self.disturb, "a probability")
        check(0 <= self.jitter < 1, "labeler.jitter", self.jitter, "a number in [0, 1)")
        check_choice("labeler.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class TrainConfig:
    """Stage 2: the optimisation, besides [model], [loss] and [schedule]."""

    batch_size: int = 32
    # Section IV-B.
    seed: int = 0
    # Of initial weights, shuffling and flips.
    flip: float = 0.5
    # Probability of a horizontal flip, the paper's only augmentation.
    brightness: float = 0.0
    # Not in the paper: brightness and contrast are scaled by a factor in [1 - b, 1 + b].
    init: str = "imagenet"
    # Backbone weights: "imagenet" (torchvision), "none", or a .safetensors file of a trained SORN.
    precision: str = "auto"
    # auto: bf16 where the device computes it, else fp32. A different precision is a different result.
    weight_decay: float = 0.0
    # Open in the paper.
    last_batch: str = "drop"
    # "drop" or "keep" an incomplete last batch; batch normalisation suffers from a batch of few images.

    def __post_init__(self) -> None:
        check(self.batch_size >= 2, "train.batch_size", self.batch_size, "2 or more (batch normalisation)")
        check(0 <= self.flip <= 1, "train.flip", self.flip, "a probability")
        check(0 <= self.brightness < 1, "train.brightness", self.brightness, "a number in [0, 1)")
        check(self.weight_decay >= 0, "train.weight_decay", self.weight_decay, "0 or more")
        check_choice("train.precision", self.precision, PRECISIONS)
        check_choice("train.last_batch", self.last_batch, ("drop", "keep"))


@dataclass(frozen=True)
class EvalConfig:
    """Stage 3: protocol and report."""

    split: str = "test"
    # "val" for every choice anyone makes, "test" for the number that is reported.
    protocol: str = "default"
    # A protocol named in the dataset's manifest, e.g. "occluded" or "partial" of partial_reid.
    tau: float = 0.15
    # Visibility threshold of Eq. 12, Section IV-B.
    average_precision: str = "standard"
    # "standard": mean of the precision at hits; "trapezoid": the mean of neighbouring precisions, as in PGFA.
    shots: int = 0
    # Gallery images per pid: 0 = all, 1 = single-gallery-shot, drawn `trials` times.
    trials: int = 100
    # Draws of the single-shot gallery.
    seed: int = 0
    # Of those draws and of the queries shown in the report.
    ranked_queries: int = 8
    # Queries shown as ranked lists.
    ranked_gallery: int = 10
    # Gallery images shown per query.
    batch_size: int = 64
    # Images per forward pass of feature extraction.
    precision: str = "auto"
    visibility: str = "network"
    # Where Eq. 11's scores come from: "network" (its semantic branch) or "pose" ("+P" of Table III: the highest
    # confidence of a landmark inside the stripe; needs masks.pose).

    def __post_init__(self) -> None:
        check_choice("eval.visibility", self.visibility, VISIBILITIES)
        check_choice("eval.split", self.split, EVAL_SPLITS)
        check_choice("eval.average_precision", self.average_precision, tuple(AP_FORMULAS))
        check_choice("eval.precision", self.precision, PRECISIONS)
        check(0 <= self.tau <= 1, "eval.tau", self.tau, "a number in [0, 1]")
        check(self.shots in (0, 1), "eval.shots", self.shots, "0 (all-gallery) or 1 (single-gallery-shot)")
        check(self.trials >= 1, "eval.trials", self.trials, "1 or more")
        check(self.ranked_queries >= 0, "eval.ranked_queries", self.ranked_queries, "0 or more")
        check(self.ranked_gallery >= 1, "eval.ranked_gallery", self.ranked_gallery, "1 or more")
        check(self.batch_size >= 1, "eval.batch_size", self.batch_size, "1 or more")


@dataclass(frozen=True)
class Runtime:
    """What cannot change a result and so never enters a fingerprint."""

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
    """One section per stage or part of the network; the names are those of the TOML sections."""

    labeler: LabelerConfig = field(default_factory=LabelerConfig)
    masks: MasksConfig = field(default_factory=MasksConfig)
    model: SORNConfig = field(default_factory=SORNConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    runtime: Runtime = field(default_factory=Runtime)


SECTIONS = {name: kind for name, kind in typing.get_type_hints(Config).items() if name != "runtime"}


def presets() -> list[str]:
    return sorted(path.stem for path in PRESET_DIR.glob("*.toml"))


def load_config(name: str, overrides: tuple[str, ...] = (), runtime: Runtime | None = None) -> Config:
    """Preset name or path of a TOML file, plus `section.field=value` overrides -> Config.

    Raises UserError for an unknown preset, section or field (with the known ones) and for a value out of range.
    """
    sections = _read(name)
    for text in overrides:
        _override(sections, text)
    return dataclasses.replace(
        Config(**{section: _build(section, values, name) for section, values in sections.items()}),
        runtime=runtime or Runtime(),
    )


def as_json(config: object) -> dict[str, Any]:
    """A config section as plain JSON values, for stamps and checkpoints."""
    return {key: _plain(value) for key, value in dataclasses.asdict(config).items()}  # type: ignore[call-overload]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _read(name: str, readers: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Sections of a preset or file, on top of those of its base. readers: the files whose base this is."""
    path = Path(name) if name.endswith(".toml") else PRESET_DIR / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"no configuration '{name}'", f"Known presets: {', '.join(presets())}; or give the path of a .toml file."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not TOML: {error}", 'Mend that line, or start from a preset: base = "paper".'
        ) from error
    base = table.pop("base", "")
    if not isinstance(base, str) or name in readers:
        raise UserError(f"{path}: base = {base!r} leads nowhere", f"Start from a preset: {', '.join(presets())}.")
    sections = _read(base, (*readers, name)) if base else {}
    for section, values in table.items():
        if section not in SECTIONS or not isinstance(values, dict):
            raise UserError(f"{path}: unknown section '{section}'", f"Known sections: {', '.join(SECTIONS)}.")
        sections.setdefault(section, {}).update(values)
    return sections


def _override(sections: dict[str, dict[str, Any]], text: str) -> None:
    key, equals, value = text.partition("=")
    section, dot, option = key.strip().partition(".")
    if not equals or not dot or section not in SECTIONS:
        raise UserError(
            f"--set {text}: not of the form section.field=value",
            f"Sections: {', '.join(SECTIONS)}; e.g. --set eval.tau=0.2",
        )
    try:
        parsed = tomllib.loads(f"x = {value.strip()}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a bare word is a string: --set eval.split=val
    target = sections.setdefault(section, {})
    table, dot, own = option.partition(".")
    if dot and table in OPTION_TABLES:
        target[table] = {**target.get(table, {}), own: parsed}
    else:
        target[option] = parsed


def _build(section: str, values: dict[str, Any], source: str) -> Any:
    kind = SECTIONS[section]
    known = typing.get_type_hints(kind)
    for key in values:
        if key not in known:
            raise UserError(
                f"{source}: unknown option {section}.{key}", f"Known in [{section}]: {', '.join(sorted(known))}."
            )
    try:
        return kind(**{key: _coerce(f"{section}.{key}", value, known[key]) for key, value in values.items()})
    except ValueError as error:
        raise UserError(f"{source}: {error}", f"Change [{section}] there, or override it with --set.") from error


def _coerce(name: str, value: Any, hint: Any) -> Any:
    """TOML value -> the annotated type: lists become tuples, integers become floats, nothing else is guessed."""
    origin = typing.get_origin(hint)
    if origin is tuple:
        check(isinstance(value, list), name, value, "a list, e.g. [1, 2]")
        inner = typing.get_args(hint)
        length = len(value) if inner[-1] is Ellipsis else len(inner)
        check(len(value) == length, name, value, f"a list of {length}")
        return tuple(_coerce(name, item, inner[0]) for item in value)
    if origin is dict or hint is dict:
        check(isinstance(value, dict), name, value, "a table of options")
        return value
    if isinstance(hint, types.UnionType):
        hint = typing.get_args(hint)[0]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "text")
    check(type(value) is hint, name, value, expected)
    return value
