"""ResNet weights in the file layouts of other programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

COUNTER = "num_batches_tracked"  # of every norm; missing in files older than PyTorch 0.4.1 and of some converters
SHOWN = 3  # names in a message
AVERAGED = re.compile(r"(^|[._])(ema|teacher|averaged|shadow)([._]|$)", re.IGNORECASE)  # weights for use, of several

# Names of a ResNet's layers in other programs -> torchvision's.
NAMINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "": ((r"(conv1|bn1|layer\d+)\.", r"\1."),),
    "a list of its layers": (  # nn.Sequential(*resnet.children())
        (r"0\.(?=weight$)", "conv1."),
        (r"1\.(?=\w+$)", "bn1."),
        *((rf"{number + 3}\.(?=\d+\.)", f"layer{number}.") for number in range(1, 5)),
    ),
    "Hugging Face transformers": (
        (r"embedder\.embedder\.convolution\.", "conv1."),
        (r"embedder\.embedder\.normalization\.", "bn1."),
        *(
            (rf"encoder\.stages\.{number - 1}\.layers\.(\d+)\.{theirs}\.", rf"layer{number}.\1.{own}.")
            for number in range(1, 5)
            for theirs, own in (
                ("shortcut.convolution", "downsample.0"),
                ("shortcut.normalization", "downsample.1"),
                *((f"layer.{i}.convolution", f"conv{i + 1}") for i in range(3)),
                *((f"layer.{i}.normalization", f"bn{i + 1}") for i in range(3)),
            )
        ),
    ),
}
FIRST_NAMES = {
    "": "conv1.weight",
    "a list of its layers": "0.weight",
    "Hugging Face transformers": "embedder.embedder.convolution.weight",
}

NETWORKS: dict[tuple[tuple[int, ...], int], str] = {  # blocks in each layer, convolutions in each block
    ((1, 1, 1, 1), 2): "resnet10",
    ((2, 2, 2, 2), 2): "resnet18",
    ((3, 4, 6, 3), 2): "resnet34",
    ((3, 4, 6, 3), 3): "resnet50",
    ((3, 4, 23, 3), 3): "resnet101",
    ((3, 8, 36, 3), 3): "resnet152",
}


@dataclass(frozen=True)
class FoundResNet:
    """ResNet in the content of a file.

    where: keys of the nested dict that holds it, joined by dots. prefix: of its names. naming: one of NAMINGS.
    weights: under torchvision's names. others: names beside it. fitting: number of weights with a name of the backbone.
    """

    where: str
    prefix: str
    naming: str
    weights: dict[str, Tensor]
    others: tuple[str, ...]
    fitting: int

    @property
    def averaged(self) -> bool:
        """Whether it is the average of a training's weights, for use."""
        return AVERAGED.search(f"{self.where}.{self.prefix}") is not None

    @property
    def place(self) -> str:
        return ".".join(filter(None, (self.where, self.prefix.rstrip(".")))) or "its first level"

    def changes(self) -> list[str]:
        """Texts for the user."""
        texts = [f"taken out of '{self.where}'"] if self.where else []
        texts += [f"'{self.prefix}' taken off the names"] if self.prefix else []
        texts += [f"named as in {self.naming}"] if self.naming else []
        return texts + ([f"left out: {_listed(self.others)}"] if self.others else [])


def resnet_weights(content: object, own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Weights of a ResNet under torchvision's names, and the changes made.

    content: of the file. own: state_dict of the backbone to fill; batch counters that the file lacks are taken from it.
    Of several ResNets the one with most fitting names is taken, then averaged weights, then the first. The changes are
    texts for the user. Raises ValueError with the content of a file without a ResNet, and for a weight that is not
    finite. The caller compares shapes and names.
    """
    found = [one for where, tensors in _tensors(content) for one in _resnets(where, tensors, own)]
    if not found:
        raise ValueError(f"it holds no ResNet, but {_contents(content)}")
    best = max(found, key=lambda one: (one.fitting, one.averaged))
    also = [one.place for one in found if one is not best and one.fitting == best.fitting]
    for name, value in best.weights.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"it holds a ResNet whose {name} is not finite")
    return _with_counters(best.weights, own), best.changes() + _not_taken(also)


def _with_counters(weights: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the batch counter of every norm."""
    norms = [name.removesuffix("running_mean") for name in weights if name.endswith(".running_mean")]
    counters = {f"{norm}{COUNTER}": own.get(f"{norm}{COUNTER}", torch.tensor(0)) for norm in norms}
    return counters | weights


def _not_taken(places: list[str]) -> list[str]:
    return [f"not taken: the ResNet in {_listed(places)}"] if places else []


def blocks(weights: Iterable[str]) -> tuple[int, ...]:
    """Number of blocks in each layer of a ResNet."""
    numbers = {match.groups() for name in weights if (match := re.match(r"layer(\d+)\.(\d+)\.", name))}
    counts = Counter(layer for layer, _ in numbers)
    return tuple(counts[layer] for layer in sorted(counts))


def network_name(weights: Mapping[str, Tensor]) -> str:
    """Name of a ResNet by its layers, as in the option `backbone`.

    "" for a wide one and others without a name.
    """
    second = weights.get("layer1.0.conv2.weight")
    if second is None or second.shape[:2] != (64, 64):
        return ""
    return NETWORKS.get((blocks(weights), 3 if "layer1.0.conv3.weight" in weights else 2), "")


def _resnets(where: str, tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[FoundResNet]:
    for naming, first in FIRST_NAMES.items():
        prefixes = [name[: -len(first)] for name in tensors if name == first or name.endswith(f".{first}")]
        for prefix in prefixes:
            inside = {name: _own_name(name[len(prefix) :], naming) for name in tensors if name.startswith(prefix)}
            weights = {new: tensors[name] for name, new in inside.items() if new}
            fitting = sum(name in own for name in weights)
            if fitting:
                others = tuple(name for name in tensors if not inside.get(name))
                yield FoundResNet(where, prefix, naming, weights, others, fitting)


def _own_name(name: str, naming: str) -> str:
    """Name of a weight in torchvision's ResNet, "" for none."""
    for pattern, replacement in NAMINGS[naming]:
        new, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return new
    return ""


def _tensors(content: object, where: str = "") -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Tensors of each nested dict, with the keys that lead to it."""
    if isinstance(content, Mapping):
        yield where, {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        for name, value in content.items():
            yield from _tensors(value, f"{where}.{name}" if where else str(name))


def _contents(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    where, most = max(_tensors(content), key=lambda one: len(one[1]))
    if not most:
        return f"no tensor by name: {_listed(content)}"
    return _listed(most) + (f" in '{where}'" if where else "")


def _listed(names: Iterable[object]) -> str:
    known = [str(name) for name in names]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return (", ".join(known[:SHOWN]) or "nothing") + more
