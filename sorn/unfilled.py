"""Networks whose weights are those of a file.

Their own weights are not drawn and take no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@contextmanager
def unfilled() -> Iterator[None]:
    """Context in which networks are built without values.

    Their weights are on the device "meta".
    """
    with torch.device("meta"), _NotDrawn():
        yield


class _NotDrawn(TorchFunctionMode):
    """Weights that are not drawn.

    On the device "meta" PyTorch would import its compiler for that, which takes as long as to import PyTorch itself.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (nn.init.normal_, nn.init.kaiming_normal_):
            return kwargs["tensor"]
        return args[0] if func == torch.Tensor.normal_ else func(*args, **(kwargs or {}))
