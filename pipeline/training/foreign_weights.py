"""ResNet weights in the file layouts of other programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

RESNET = re.compile(r"(conv1|bn1|layer\d+)\.")  # how the names of torchvision's ResNets begin
FIRST = "conv1.weight"
COUNTER = "num_batches_tracked"  # of every norm; missing in files older than PyTorch 0.4.1 and of some converters
SHOWN = 3  # names in a message


def resnet_weights(found: object, own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Weights of a ResNet under torchvision's names, and the changes made.

    found: content of the file. own: state_dict of the backbone to fill; batch counters that the file lacks are taken
    from it. The changes are texts for the user. Raises ValueError with the content of a file without a ResNet. The
    caller compares shapes and names.
    """
    where, tensors = _tensors(found)
    off = [f"taken out of '{where}'"] if where else []
    prefixes = Counter({_prefix(name): 0 for name in tensors if name == FIRST or name.endswith(f".{FIRST}")})
    for prefix in prefixes:
        prefixes[prefix] = sum(name.startswith(prefix) and name[len(prefix) :] in own for name in tensors)
    if not prefixes or not prefixes.total():
        raise ValueError(f"it holds no ResNet, but {_listed(tensors)}")
    prefix = prefixes.most_common(1)[0][0]
    if prefix:
        off.append(f"'{prefix}' taken off the names")
    inside = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    weights = {name: value for name, value in inside.items() if RESNET.match(name)}
    others = [name for name in tensors if not name.startswith(prefix) or name[len(prefix) :] not in weights]
    others = [name for name in others if not name[len(prefix) :].startswith("fc.")]  # ImageNet's classes
    if others:
        off.append(f"left out: {_listed(others)}")
    counters = {name: own[name] for name in own if name.endswith(COUNTER) and name not in weights}
    return weights | counters, off


def blocks(weights: Iterable[str]) -> str:
    """Number of blocks in each layer of a ResNet, as text."""
    numbers = {match.groups() for name in weights if (match := re.match(r"layer(\d+)\.(\d+)\.", name))}
    counts = Counter(layer for layer, _ in sorted(numbers))
    return f"a ResNet of {', '.join(str(count) for count in counts.values())} blocks"


def _prefix(name: str) -> str:
    return name[: -len(FIRST)]


def _tensors(found: object, where: str = "") -> tuple[str, dict[str, Tensor]]:
    """Key and content of the nested dict with most tensors."""
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds a {type(found).__name__}, not weights by name")
    own = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    nested: list[tuple[str, Any]] = [(str(name), value) for name, value in found.items() if isinstance(value, Mapping)]
    below = [_tensors(value, f"{where}.{name}" if where else name) for name, value in nested]
    best = max([(where, own), *below], key=lambda one: len(one[1]))
    if not best[1] and not where:
        raise ValueError(f"it holds no tensor, but {_listed(found)}")
    return best


def _listed(names: Iterable[object]) -> str:
    known = [str(name) for name in names]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return (", ".join(known[:SHOWN]) or "nothing") + more
