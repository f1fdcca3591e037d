"""Answers of the probes of the doctor, one class per library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pipeline.io.documents import Flat, from_json

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Failed:
    """The library raised, crashed or hung."""

    error: str

    @property
    def why(self) -> str:
        return self.error


@dataclass(frozen=True)
class Unusable:
    """Error of a probe with its remedy."""

    wrong: str
    remedy: str

    @property
    def why(self) -> str:
        return self.wrong


Faulty = Failed | Unusable


@dataclass(frozen=True)
class DeviceAnswer:
    """Graphics card that torch can use.

    memory: bytes. bf16: whether it computes bf16 in hardware.
    """

    name: str
    memory: int
    bf16: bool


@dataclass(frozen=True)
class TorchAnswer:
    """Version and devices of torch.

    cuda: version that torch was built for, None for the CPU. cpu: its unit for bf16, in words.
    """

    version: str
    cuda: str | None
    devices: tuple[DeviceAnswer, ...]
    cpu: str


@dataclass(frozen=True)
class TorchvisionAnswer:
    version: str


@dataclass(frozen=True)
class Hdf5Answer:
    """hdf5: version of the C library."""

    hdf5: str


@dataclass(frozen=True)
class NumbaAnswer:
    version: str


@dataclass(frozen=True)
class PillowAnswer:
    """missing: formats that Pillow was built without."""

    missing: tuple[str, ...]


@dataclass(frozen=True)
class SynpedAnswer:
    """Body model and ray caster can be imported."""


@dataclass(frozen=True)
class DenseposeAnswer:
    """Version and CUDA version of detectron2.

    cuda: version that its compiled operators were built for, as text.
    """

    version: str
    cuda: str


@dataclass(frozen=True)
class BlazeposeAnswer:
    """LiteRT and BlazePose's networks.

    litert: version. networks: how many are there, each with its sha256. folder: that they are in.
    """

    litert: str
    networks: int
    folder: str


@dataclass(frozen=True)
class BackendsAnswer:
    """packages: backend for a cluster -> its packages -> version, or None."""

    packages: Annotated[dict[str, dict[str, str | None]], Flat()]


@dataclass(frozen=True)
class ImagenetAnswer:
    """Backbones whose ImageNet weights are on this machine.

    timm: version, "" if it is not installed.
    """

    here: tuple[str, ...]
    timm: str


@dataclass(frozen=True)
class PluginAnswer:
    """A labeler or keypoint finder of another package."""

    package: str | None
    about: str


@dataclass(frozen=True)
class WeightsAnswer:
    """A file of weights. kind: which network's, in words. tensors: their number."""

    kind: str
    tensors: int


def read_answer(kind: type[Answer], reply: Mapping[str, object]) -> Answer | Faulty:
    """Typed reply of a probe; Failed for a reply of another type."""
    try:
        if "error" in reply:
            return from_json(Failed, reply)
        return from_json(Unusable, reply) if "wrong" in reply else from_json(kind, reply)
    except ValueError as error:
        return Failed(f"its answer cannot be understood: {error}")
