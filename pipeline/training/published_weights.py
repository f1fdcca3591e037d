"""Published weights of backbones other than torchvision's ResNets."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pipeline.errors import reason
from pipeline.io import checkpoints
from pipeline.io.file_kind import SAFETENSORS, kind_of
from pipeline.io.text import read_json
from sorn.backbone import Backbone, load_backbone
from sorn.normalisation import Normalisation
from sorn.timm_backbone import TimmBackbone

FORMER = re.compile(r"features\.(\d+)\.conv\.(\d+)\.(\w+)")  # MobileNetV2: layers of a block one after the other
FIRST_BLOCK = "1"  # has no expansion
NAMES = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
NAMES_OF_FIRST = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
COUNTER = "num_batches_tracked"  # of every norm; older files lack it
PREFIXES = ("module.", "model.", "backbone.")  # that training programs put before the names


def load_published(backbone: Backbone, path: Path) -> None:
    """Load a weights file of any program into a backbone.

    Raises ValueError for weights that do not fit; UserError, ValueError and OSError for a file that cannot be read.
    """
    weights = _plain(read_content(path))
    if isinstance(backbone, TimmBackbone):
        _load_timm(backbone, weights)
    else:
        own = backbone.state_dict()
        counters = {name: value for name, value in own.items() if name.endswith(COUNTER)}
        load_backbone(backbone, {**counters, **torchvision_names(weights)})


def read_content(path: Path) -> object:
    """Content of a file of torch.save or of safetensors.

    Raises as `checkpoints.read_weights` and `checkpoints.read_torch` do.
    """
    kind = kind_of(path)
    safetensors = kind is not None and kind.name == SAFETENSORS
    return checkpoints.read_weights(path) if safetensors else checkpoints.read_torch(path)


def torchvision_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of MobileNetV2 under torchvision's names.

    These hold convolution, norm and activation in groups. Older files have the names of
    tonylins/pytorch-mobilenet-v2. Other weights stay as they are.
    """
    if f"features.{FIRST_BLOCK}.conv.0.weight" not in weights:
        return dict(weights)
    return {FORMER.sub(_name, name): value for name, value in weights.items()}


def _name(match: re.Match[str]) -> str:
    block, layer, value = match.groups()
    names = NAMES_OF_FIRST if block == FIRST_BLOCK else NAMES
    return f"features.{block}.conv.{names.get(layer, layer)}.{value}"


def _load_timm(backbone: TimmBackbone, weights: dict[str, Tensor]) -> None:
    """Load weights as timm reads them: under the names of the whole network, some of them renamed.

    The whole network, with its classifier, is strict about names; the one without is not.
    """
    logging.getLogger("timm").setLevel(logging.ERROR)  # it warns of the classifier that is left out
    given = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": weights, "custom_load": False}}
    try:
        backbone.whole(**given)
        donor = backbone.made(**given)
    except Exception as error:  # timm's readers of older files raise anything
        raise ValueError(f"they do not fit {backbone.name} of timm: {_first_difference(error)}") from error
    backbone.network.load_state_dict(donor.state_dict())


def _first_difference(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return lines[1] if len(lines) > 1 else reason(error)


def _plain(content: object) -> dict[str, Tensor]:
    """Weights by name, out of their wrapping. Raises ValueError if there are none."""
    while isinstance(content, Mapping):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        nested = [value for value in content.values() if isinstance(value, Mapping)]
        if len(tensors) >= len(nested):
            break
        content = max(nested, key=len)
    else:
        raise ValueError(f"it holds a {type(content).__name__}, not weights by name")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def require_normalisation_beside(path: Path, own: Normalisation) -> None:
    """Check of the description that timm stores beside its weights.

    Raises ValueError for weights that were trained with another normalisation than that of the backbone.
    """
    try:
        config = read_json(path.with_name("config.json"))["pretrained_cfg"]
        theirs = Normalisation.of(config["mean"], config["std"])
    except (OSError, ValueError, TypeError, KeyError):
        return  # another file, or none
    if not own.like(theirs):
        raise ValueError(f"they were trained with images of {theirs.text()}, and this backbone takes {own.text()}")
