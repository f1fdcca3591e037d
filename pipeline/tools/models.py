"""Catalogue of what a training can start from.

Backbones with their weights, networks that ship, and finished trainings. Reads the files of weights and the
descriptions of trainings; downloads nothing.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.networks import install_timm, told_of_backbone
from pipeline.io.weights_metadata import read_metadata
from pipeline.runs.checkpoint_info import DanetNetwork, describe
from pipeline.runs.find import finished_trainings
from pipeline.runs.layout import WEIGHTS
from pipeline.runs.shipped import ShippedNetwork, again, find_shipped, shipped_names
from pipeline.training.weight_sources import PackageFile, WeightSource, sources_of
from sorn.backbones import build_backbone
from sorn.config import BACKBONES, DANET_BACKBONES, OPEN, TIMM, check_choice
from sorn.unfilled import unfilled

MILLION = 10**6


@dataclass(frozen=True)
class WeightsState:
    """State of one source of ImageNet weights.

    state: here, absent or damaged. file: path, "" if absent. remedy: "" if here.
    """

    source: str
    state: str
    file: str
    remedy: str

    def text(self) -> str:
        if self.state == "here":
            return f"imagenet: {self.source}, {self.file}"
        return f"imagenet: {self.source}, {self.state}. {self.remedy}"


@dataclass(frozen=True)
class BackboneEntry:
    """Backbone with its weights.

    networks: the ones that can have it. parameters: their number, without a classifier. channels: of blocks 2, 3 and 4.
    mean, std: of the normalisation of its input, for red, green and blue in units of the full range.
    """

    name: str
    networks: tuple[str, ...]
    parameters: int
    channels: tuple[int, int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: tuple[WeightsState, ...]

    def lines(self) -> list[str]:
        mean, std = (" ".join(f"{value:.3f}" for value in values) for values in (self.mean, self.std))
        channels = " ".join(map(str, self.channels))
        size = f"{self.parameters / MILLION:.1f} M parameters, channels {channels}"
        head = f"{self.name:20}{size}, input normalised by {mean} / {std}"
        whose = [] if len(self.networks) > 1 else [f"for {self.networks[0]} only"]
        weights = [state.text() for state in self.weights] or ["imagenet: none are published"]
        return [head, *(f"    {line}" for line in (*whose, *weights))]


@dataclass(frozen=True)
class TrainedEntry:
    """Finished training whose weights another training can start from."""

    file: str
    backbone: str


@dataclass(frozen=True)
class ShippedEntry:
    """Network that ships with the program.

    state: here or damaged. about: of the network; the remedy of a damaged one. size: of its weights in bytes.
    """

    name: str
    state: str
    about: str
    size: int = 0
    sha256: str = ""

    def line(self) -> str:
        if self.state != "here":
            return f"{self.name:20}{self.state}. {self.about}"
        return f"{self.name:20}{self.about}, {self.size / MILLION:.1f} MB, sha256 {self.sha256}"


@dataclass(frozen=True)
class Catalogue:
    """What a training can start from.

    timm: its version, "" if it is not installed.
    """

    backbones: tuple[BackboneEntry, ...]
    timm: str
    trained: tuple[TrainedEntry, ...]
    shipped: tuple[ShippedEntry, ...] = ()

    def lines(self) -> list[str]:
        timm = f"timm {self.timm}; see one with: sorn models timm:NAME" if self.timm else f"Run: {install_timm()}"
        return [
            "Backbones: --set model.backbone=NAME, --set danet.backbone=NAME. INIT=imagenet begins with their weights.",
            *(line for entry in self.backbones for line in entry.lines()),
            f"{TIMM + OPEN:20}convolutional networks of the package timm. {timm}",
            "Networks that ship: --model NAME, TRAINED_ON=NAME, INIT=NAME; a DANet for LABELER=danet.",
            *([one.line() for one in self.shipped] or ["none"]),
            "Finished trainings: INIT=FILE begins with their weights.",
            *([f"{one.file}    {one.backbone}" for one in self.trained] or ["none"]),
        ]


def catalogue(runs: Path) -> Catalogue:
    """All backbones by name, and the finished trainings below a folder."""
    names = [name for name in dict.fromkeys(BACKBONES + DANET_BACKBONES) if not str(name).endswith(OPEN)]
    shipped = tuple(map(shipped_entry, shipped_names()))
    return Catalogue(tuple(map(entry, names)), timm_version(), tuple(_trained(runs)), shipped)


def shipped_entry(name: str) -> ShippedEntry:
    """One network that ships, its files checked."""
    try:
        found = find_shipped(name)
        assert found is not None, "its folder was listed"
        found.require_sound()
        about = f"{found.network} on {_about(found)}"
    except UserError as error:
        return ShippedEntry(name, "damaged", str(error))
    return ShippedEntry(name, "here", about, found.weights.stat().st_size, found.sha256)


def _about(network: ShippedNetwork) -> str:
    """Backbone, image size and training data of a network that ships."""
    if network.stage == "train":
        info = describe(network.folder)
        return f"{info.model.backbone}, {'x'.join(map(str, info.image_size))}, trained on {info.trained_on}"
    metadata = read_metadata(network.weights)
    try:
        danet = DanetNetwork.of(metadata)
    except ValueError:
        danet = None
    if danet is None:
        raise UserError(f"{network.weights} holds no DANet", again(network.folder))
    return f"{danet.backbone}, {'x'.join(map(str, danet.image_size))}, trained on {danet.trained_on}"


def entry(name: str) -> BackboneEntry:
    """One backbone, also one of timm.

    Raises UserError for an unknown name, and for a network of timm without the maps.
    """
    networks = {"SORN": BACKBONES, "DANet": DANET_BACKBONES}
    try:
        check_choice("backbone", name, tuple(dict.fromkeys(BACKBONES + DANET_BACKBONES)))
    except ValueError as error:
        raise UserError(str(error), "See them all: sorn models") from error
    with told_of_backbone("model.backbone", name), unfilled():
        backbone = build_backbone(name)
    return BackboneEntry(
        name,
        tuple(network for network, known in networks.items() if name in known or name.startswith(TIMM)),
        sum(parameter.numel() for parameter in backbone.parameters()),
        backbone.channels,
        *backbone.normalisation,
        tuple(map(state_of, sources_of(name))),
    )


def state_of(source: WeightSource) -> WeightsState:
    """State of one source; nothing is downloaded."""
    path = source.find()
    if path is None:
        remedy = f"Run: {source.remedy}" if isinstance(source, PackageFile) else "A training downloads them."
        return WeightsState(source.name, "absent", "", remedy)
    try:
        source.require_sound(path)
    except UserError as error:
        return WeightsState(source.name, "damaged", str(path), str(error))  # it names both digests
    return WeightsState(source.name, "here", str(path), "")


def timm_version() -> str:
    try:
        return importlib.metadata.version("timm")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _trained(runs: Path) -> Iterator[TrainedEntry]:
    for name in finished_trainings(runs):
        folder = runs / name / "train"
        try:
            yield TrainedEntry(str(folder / WEIGHTS), describe(folder).model.backbone)
        except UserError:  # damaged: `sorn verify` says so
            continue
