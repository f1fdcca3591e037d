"""Initial weights of a network: random, from ImageNet, or from a file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import UserError, reason
from pipeline.io import checkpoints
from pipeline.io.file_kind import SAFETENSORS, TORCH, kind_of, without_objects
from pipeline.io.weights_metadata import of_this_program, require_normalisation
from pipeline.runs.shipped import shipped_names, weights_path
from pipeline.runtime import distributed
from pipeline.training.foreign_weights import blocks, network_name, resnet_weights
from pipeline.training.imagenet import IMAGENET, load_imagenet
from pipeline.training.published_weights import load_published, read_content, require_normalisation_beside
from pipeline.training.start import Start
from sorn.backbone import Backbone, load_backbone
from sorn.backbones import ResNetBackbone
from sorn.config import BACKBONES, DANET_BACKBONES
from sorn.danet import DANet
from sorn.network import SORN

OWN_IDENTITIES = "classifier"  # in the names of layers that depend on the training pids
PART_BRANCH = "part."  # begins the names of its layers


def load_initial_weights(
    model: SORN | DANet, init: str, backbone: str, option: str, described: Path | None = None
) -> Start | None:
    """Load the initial weights of a network or of its backbone.

    Returns None for random weights.

    init: one of
    - "none": the weights stay as they are.
    - "imagenet": published weights of the backbone (`weight_sources`). The file that was taken is logged.
    - a torch.save or safetensors file of any program with a ResNet (`foreign_weights`), or with another backbone
      (`published_weights`). Changed names and left-out weights of a ResNet are logged.
    - a safetensors file of a network trained by this program, or the name of one that ships. If the options of the
      network are the same, everything is loaded but the identity classifiers, and a part branch that only one of them
      has. Otherwise only the backbone is loaded. Both are logged. Half precision becomes the precision of the network.

    The content of a file decides what it is, not its name. backbone: its name. option: name of the option, for
    messages. described: config.json of an earlier training in the same folder. Raises UserError for weights that are
    missing, cannot be read, do not fit, or were trained with another normalisation.
    """
    if init == "none":
        return None
    what = f"{option} = {init}"
    try:
        if init == IMAGENET:
            return load_imagenet(model.backbone, backbone, option, described)
        path = weights_path(init)
        if path == Path(init) and init in shipped_names():
            distributed.say(f"{what}: your own file is taken, not the network of this name that ships")
        if _kind(path, what) == SAFETENSORS and of_this_program(path):
            _load_trained(model, checkpoints.read_weights(path), what)
            require_normalisation(path, model.normalisation)
        else:
            require_normalisation_beside(path, model.normalisation)
            _load_foreign(model.backbone, path, backbone, option)
        return Start.of(path, name=Path(init).name)
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


def _load_foreign(backbone: Backbone, path: Path, name: str, option: str) -> None:
    """Load a backbone from a file of another program. name: of the backbone."""
    if not isinstance(backbone, ResNetBackbone):
        return load_published(backbone, path)
    weights, taken_off = resnet_weights(read_content(path), backbone.state_dict())
    try:
        load_backbone(backbone, weights)
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
    new, old = (any(key.startswith(PART_BRANCH) for key in of) for of in (own, given))
    if new != old:
        said = "without a part branch: this branch starts anew" if new else "with a part branch, which is left out"
        own, given = ({key: of[key] for key in of if not key.startswith(PART_BRANCH)} for of in (own, given))
        distributed.say(f"{what} is of a network {said}")
    if {key: value.shape for key, value in given.items()} != own:
        own, given = ({key: of[key] for key in of if key.startswith("backbone.")} for of in (own, given))
        wrong = sorted(key for key in own.keys() | given.keys() if key not in given or own.get(key) != given[key].shape)
        if wrong:
            raise ValueError(f"weights of another backbone: {', '.join(wrong[:3])}")
        distributed.say(f"{what} is of a network with other options: only its backbone is loaded")
    model.load_state_dict(given, strict=False)
