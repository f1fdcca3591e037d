"""Where a network's weights start: from nothing, from ImageNet, or from a file. Reads weight files."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.runtime import distributed
from sorn.backbone import load_resnet

OWN_IDENTITIES = "classifier"  # in the names of the layers that belong to the pids they were trained on


def load_initial_weights(model: nn.Module, init: str, backbone: str, option: str) -> None:
    """Fill a network, or its `backbone` module, from what the option says.

    init: "none", "imagenet" (torchvision's ResNet of that name), a torchvision ResNet .pth, or a .safetensors of a
    network trained here: of one with the same options everything is taken but identity classifiers, of another one the
    backbone alone, and that is said. option: its name, for messages.
    Raises UserError for weights that cannot be had or do not fit.
    """
    if init == "none":
        return
    try:
        if Path(init).suffix == ".safetensors":
            _load_trained(model, checkpoints.read_weights(Path(init)), f"{option} = {init}")
        else:
            weights = _imagenet(backbone, option) if init == "imagenet" else _read_torch(init)
            load_resnet(model.get_submodule("backbone"), weights)
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"{option} = {init}: {error}",
            f"Give weights of the configured backbone, or start with --set {option}=none.",
        ) from error


def _read_torch(init: str) -> dict[str, Tensor]:
    weights = checkpoints.read_torch(Path(init))
    if not isinstance(weights, dict):
        raise ValueError(f"holds a {type(weights).__name__}, not weights by name")
    return weights


def _load_trained(model: nn.Module, weights: dict[str, Tensor], what: str) -> None:
    own = {key: value.shape for key, value in model.state_dict().items() if OWN_IDENTITIES not in key}
    given = {key: value for key, value in weights.items() if OWN_IDENTITIES not in key}
    if {key: value.shape for key, value in given.items()} != own:
        own, given = ({key: of[key] for key in of if key.startswith("backbone.")} for of in (own, given))
        wrong = sorted(key for key in own.keys() | given.keys() if key not in given or own.get(key) != given[key].shape)
        if wrong:
            raise ValueError(f"weights of another backbone: {', '.join(wrong[:3])}")
        distributed.say(f"{what} is of a network with other options: its backbone alone is taken")
    model.load_state_dict(given, strict=False)


def _imagenet(backbone: str, option: str) -> dict[str, Tensor]:
    """torchvision's ImageNet weights, from its download cache or the network."""
    import torchvision

    weights = torchvision.models.get_model_weights(backbone).IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise UserError(
            f"the ImageNet weights of {backbone} could not be downloaded: {error}",
            f"Fetch {weights.url} elsewhere and give --set {option}=FILE, or start with --set {option}=none.",
        ) from error
