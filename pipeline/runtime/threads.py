"""Number of torch threads while several batches are computed in parallel.

Opens no file.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.runtime import distributed


@contextmanager
def single_torch_thread(needed: bool = False) -> Iterator[None]:
    """Context in which torch computes with one thread, in the calling thread.

    needed: import torch if it is not imported yet.
    """
    if needed:
        importlib.import_module("torch")
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def use_all_cores() -> None:
    """All cores of the machine for torch in process 0.

    Called when the other processes of torchrun on this machine have ended.
    """
    if distributed.here().world > 1:
        import torch

        torch.set_num_threads(distributed.cores() * distributed.here().local_world)
