"""A trained network, ready to look at images; many of them on all cores or on a GPU. Reads model.safetensors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import torch

from pipeline.io import checkpoints
from pipeline.runtime import distributed
from pipeline.runtime.device import pick_device
from pipeline.runtime.memory import keep_freed_memory
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.threads import single_torch_thread, use_one_torch_thread
from sorn import engine
from sorn.config import SORNConfig
from sorn.fused import fused
from sorn.network import SORN

Result = TypeVar("Result")

CPU_BATCH = 16  # images per core: more are no faster, and every core holds the maps of its own
GPU_THREADS = 4  # one waits for its results, the others read and queue the next images


def load_network(weights: Path, model: SORNConfig, device: torch.device) -> SORN:
    """In eval mode, channels_last, on the device. model: of config.json beside the weights. Raises UserError for
    weights that are missing, damaged or of another network.
    """
    with torch.device("meta"):
        network = SORN(model)
    checkpoints.load_weights(weights, network)
    ready: SORN = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready


class Inference:
    """A trained network folded for speed (`sorn.fused`), and the threads that look at batches of images with it.

    network: takes what SORN takes. device, precision: what `auto` means on this machine. On a CPU every batch is
    computed by one thread, as sums depend on how many share them: so features depend neither on the number of cores nor
    on that of processes, and several batches at a time take less time than one on all cores. Raises UserError as
    `load_network` and `pick_device` do.
    """

    def __init__(self, weights: Path, model: SORNConfig, device: str, precision: str) -> None:
        self.device = pick_device(device)
        self.precision = engine.pick_precision(precision, self.device)
        self.network = fused(load_network(weights, model, self.device), self.precision)
        self.on_gpu = self.device.type == "cuda"
        if not self.on_gpu:
            keep_freed_memory()

    def batch_size(self, wanted: int) -> int:
        """Images per forward pass, at most `wanted`."""
        return wanted if self.on_gpu else min(wanted, CPU_BATCH)

    def run(self, look: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Generator[Result, None, None]:
        """look(*one) for each of the arguments, in their order, some ahead of whoever takes them; see `ahead`.

        look reads a batch and passes it through the network: then the next images are read while these are computed.
        """
        threads, prepare = (GPU_THREADS, self._use_gpu) if self.on_gpu else (distributed.cores(), use_one_torch_thread)
        with single_torch_thread(), closing(ahead(look, arguments, threads, prepare)) as results:
            yield from results

    def _use_gpu(self) -> None:
        torch.cuda.set_device(self.device)  # a thread's own, and page-locked memory belongs to it
