"""Networks of the package timm as backbones."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from sorn.backbone import Backbone, Stages
from sorn.config import STRIDE
from sorn.depthwise import use_depthwise
from sorn.normalisation import IMAGENET, Normalisation

LOOK = (64, 32)  # height, width of an image that shows the sizes of the maps


class TimmBackbone(Backbone):
    """Convolutional network of timm.

    name: as in timm, for example mobilenetv4_conv_small.e2400_r224_in1k. stride: 16 or 8, of the last map; timm removes
    the strides, and in most networks dilates instead. Its norms may hold an activation, and be registered in any
    order, so they are not folded. Raises ValueError for a name that timm does not know, and for a network without
    such maps.
    """

    folds = False

    def __init__(self, name: str, stride: int = STRIDE) -> None:
        super().__init__()
        self.name, self.stride = name, stride
        self.normalisation = _normalisation(name)
        with torch.device(
            "cpu"
        ):  # not on "meta": some hold buffers that no file has, or compute with tensors when made
            try:
                self.network = self.made()
                use_depthwise(self.network)
            except Exception as error:  # timm's networks refuse what they cannot do with any exception
                raise ValueError(f"{name} of timm {_without(stride)}") from error
            self.channels = _channels(name, self.network, stride)

    def made(self, **options: Any) -> nn.Module:
        """The network as timm makes it, with more options of `timm.create_model`."""
        return self.whole(features_only=True, output_stride=self.stride, **options)

    def whole(self, **options: Any) -> nn.Module:
        """The network with its classifier, made in the same way."""
        network: nn.Module = require_timm().create_model(self.name, **options)
        return network

    def forward(self, image: Tensor) -> Stages:
        return Stages(*self.network(image)[-3:])


def require_timm() -> ModuleType:
    """The package timm.

    Raises ValueError if it is not installed or cannot be imported.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"the package timm cannot be imported ({error})") from error
    module: ModuleType = timm
    return module


def _normalisation(name: str) -> Normalisation:
    """Normalisation of a network's published weights. Raises ValueError for an unknown name."""
    timm = require_timm()
    try:
        if not timm.is_model(name):
            raise ValueError(f"timm {timm.__version__} has no network {name}")
        config = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ValueError(f"timm {timm.__version__} has no weights {name}: {error}") from error
    return Normalisation.of(config.mean, config.std) if config else IMAGENET


@torch.no_grad()
def _channels(name: str, network: nn.Module, stride: int) -> tuple[int, int, int]:
    """Channels of the last three maps, whose sizes are looked at."""
    height, width = LOOK
    training = network.training
    try:
        maps = network.eval()(torch.zeros(1, 3, height, width))[-3:]
    except Exception as error:  # a network for images of one size
        raise ValueError(f"{name} of timm takes no images of {height}x{width} ({error})") from error
    network.train(training)
    strides = (8, stride, stride)
    wanted = [torch.Size((height // s, width // s)) for s in strides]
    if [one.shape[2:] for one in maps] != wanted:
        raise ValueError(f"{name} of timm {_without(stride)}")
    return maps[0].shape[1], maps[1].shape[1], maps[2].shape[1]


def _without(stride: int) -> str:
    return f"has no maps of stride 8, {stride} and {stride}, as convolutional networks with an output stride have"
