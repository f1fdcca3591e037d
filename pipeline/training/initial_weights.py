"""Initial weights of a network: random, from ImageNet, or from a file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import UserError, reason
from pipeline.io import checkpoints
from pipeline.io.file_kind import SAFETENSORS, TORCH, kind_of, without_objects
from pipeline.io.weights_metadata import of_this_program
from pipeline.runtime import distributed
from pipeline.training.foreign_weights import blocks, network_name, resnet_weights
from sorn.backbone import load_resnet
from sorn.config import BACKBONES, DANET_BACKBONES

OWN_IDENTITIES = "classifier"  # in the names of layers that depend on the training pids


def load_initial_weights(model: nn.Module, init: str, backbone: str, option: str) -> None:
    """Load the initial weights of a network or of its `backbone` module.

    init: one of
    - "none": the weights stay as they are.
    - "imagenet": the ImageNet weights of torchvision for the ResNet `backbone`.
    - a torch.save or safetensors file of any program with a ResNet (`foreign_weights`). Changed names and left-out
      weights are logged.
    - a safetensors file of a network trained by this program. If the options of the network are the same, everything
      is loaded but the identity classifiers. Otherwise only the backbone is loaded, and that is logged.

    The content of a file decides what it is, not its name. option: name of the option, for messages. Raises UserError
    for weights that are missing, cannot be read or do not fit.
    """
    if init == "none":
        return
    what = f"{option} = {init}"
    try:
        if init == "imagenet":
            load_resnet(model.get_submodule("backbone"), _imagenet(backbone, option))
        elif _kind(Path(init), what) == SAFETENSORS and of_this_program(Path(init)):
            _load_trained(model, checkpoints.read_weights(Path(init)), what)
        else:
            _load_foreign(model.get_submodule("backbone"), Path(init), backbone, option)
    except checkpoints.HoldsCode as error:
        raise UserError(f"{what}: {error}", without_objects(Path(init), error.name)) from error
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"{what}: {reason(error)}",
            f"Give weights of the configured backbone, or start with --set {option}=none.",
        ) from error


def _kind(path: Path, what: str) -> str:
    """Name of the kind of a weights file. Raises UserError for a file of a kind that holds no weights for torch."""
    kind = kind_of(path)
    if kind is None:
        raise UserError(f"{what}: it is neither a file of torch.save nor of safetensors", "Give a weights file.")
    if kind.name not in (SAFETENSORS, TORCH):
        raise UserError(f"{what} is {kind.what}", kind.remedy)
    return kind.name


def _load_foreign(backbone: nn.Module, path: Path, name: str, option: str) -> None:
    """Load a ResNet from a file of another program. name: of the backbone."""
    safetensors = _kind(path, f"{option} = {path}") == SAFETENSORS
    content = checkpoints.read_weights(path) if safetensors else checkpoints.read_torch(path)
    weights, taken_off = resnet_weights(content, backbone.state_dict())
    try:
        load_resnet(backbone, weights)
    except ValueError as error:
        raise _another(weights, name, f"{option} = {path}", option, str(error)) from error
    if taken_off:
        distributed.say(f"{option} = {path}: {'; '.join(taken_off)}")


def _another(weights: dict[str, Tensor], name: str, what: str, option: str, differences: str) -> UserError:
    """Error for a ResNet that is not the configured backbone `name`."""
    found = network_name(weights)
    setting = f"{option.partition('.')[0].replace('train', 'model')}.backbone"
    if found and found != name:
        known = DANET_BACKBONES if setting.startswith("danet") else BACKBONES
        take = f"take its network: --set {setting}={found}" if found in known else f"start with --set {option}=none"
        return UserError(f"{what} holds a {found}, and {setting} is {name}", f"Give weights of {name}, or {take}.")
    kind = found or f"ResNet of {', '.join(map(str, blocks(weights)))} blocks"
    remedy = f"Give weights of torchvision's {name}, or start with --set {option}=none."
    return UserError(f"{what} holds a {kind} with other layers than {setting} = {name}: {differences}", remedy)


def _load_trained(model: nn.Module, weights: dict[str, Tensor], what: str) -> None:
    own = {key: value.shape for key, value in model.state_dict().items() if OWN_IDENTITIES not in key}
    given = {key: value for key, value in weights.items() if OWN_IDENTITIES not in key}
    if {key: value.shape for key, value in given.items()} != own:
        own, given = ({key: of[key] for key in of if key.startswith("backbone.")} for of in (own, given))
        wrong = sorted(key for key in own.keys() | given.keys() if key not in given or own.get(key) != given[key].shape)
        if wrong:
            raise ValueError(f"weights of another backbone: {', '.join(wrong[:3])}")
        distributed.say(f"{what} is of a network with other options: only its backbone is loaded")
    model.load_state_dict(given, strict=False)


def _imagenet(backbone: str, option: str) -> dict[str, Tensor]:
    """ImageNet weights of torchvision, from its download cache or the internet."""
    import torchvision

    weights = torchvision.models.get_model_weights(backbone).IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise UserError(
            f"the ImageNet weights of {backbone} could not be downloaded: {error}",
            f"Fetch {weights.url} elsewhere and give --set {option}=FILE, or start with --set {option}=none.",
        ) from error
