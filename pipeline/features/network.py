"""Inference with a trained network, on all cores or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from pipeline.features.int8.network import Int8Network
from pipeline.io import checkpoints
from pipeline.io.networks import require_trained_normalisation, sorn_network
from pipeline.runtime import distributed
from pipeline.runtime.arithmetic import INT8, pick_precision, uses_amx
from pipeline.runtime.device import pick_device
from pipeline.runtime.memory import keep_freed_memory
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import progress
from pipeline.runtime.threads import single_torch_thread
from sorn import engine
from sorn.adaptation import Moments, adapt_norms, batch_moments
from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.export import outputs_without_branch
from sorn.features import Features
from sorn.fused import fused
from sorn.network import SORN
from sorn.threads import use_one_torch_thread
from sorn.unfilled import unfilled

Result = TypeVar("Result")

CPU_BATCH = 16  # images per core: more are no faster, and every core holds the feature maps of its batch
ADAPTATION_BATCH = 32  # images whose moments are taken together
GPU_THREADS = 4  # one waits for its results, the others read and queue the next images


def load_network(weights: Path, model: SORNConfig, device: torch.device) -> SORN:
    """Trained network in eval mode, channels_last, on the device.

    model: options of the network, from config.json beside the weights. Raises UserError for weights that are missing,
    damaged, of another network or of another normalisation.
    """
    with unfilled():
        network = sorn_network(model)
    checkpoints.load_weights(weights, network)
    require_trained_normalisation(weights, network.normalisation)
    ready: SORN = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready


class Inference:
    """Trained network, folded for speed (`sorn.fused`), with threads that run it.

    network: takes the input of SORN. device, precision: the ones that `auto` means on this machine. batch_size: images
    per forward pass, at most the number wanted. int8: the graph of its int8 network, for the precision of that name;
    part masks and maps are then those of the network itself. On a CPU one thread computes each batch, because sums
    depend on the number of threads. So features depend neither on the number of cores nor on the number of processes.
    Several batches at a time take less time than one batch on all cores. Raises UserError as `load_network` and
    `pick_device` do.
    """

    def __init__(
        self,
        weights: Path,
        model: SORNConfig,
        device: str,
        precision: str,
        most: int = CPU_BATCH,
        int8: Path | None = None,
    ) -> None:
        self.weights, self.model = weights, model
        self.device = pick_device("cpu" if int8 else device)
        self.precision = INT8 if int8 else pick_precision(precision, self.device)
        self.computed = "fp32" if int8 else self.precision  # of masks and maps
        self.network = self._fused(load_network(weights, model, self.device))
        self.int8 = Int8Network(int8, outputs_without_branch(self.network)) if int8 else None
        self.on_gpu = self.device.type == "cuda"
        self.batch_size = most if self.on_gpu else min(most, CPU_BATCH)
        if not self.on_gpu:
            keep_freed_memory()

    def run(self, look: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Generator[Result, None, None]:
        """Results of look(*one) for each of the arguments, in their order.

        look: reads a batch and passes it through the network. Some results are computed before they are taken (see
        `ahead`), so the next images are read during the computation.
        """
        threads, prepare = (GPU_THREADS, self._use_gpu) if self.on_gpu else (distributed.cores(), use_one_torch_thread)
        with single_torch_thread(), closing(ahead(look, arguments, threads, prepare)) as results:
            yield from results

    def features(self, batch: Batch, size: int = 0, flip: bool = False) -> Features:
        """Features of the images of a batch; size, flip: as in `extract_features`."""
        if self.int8 is not None:
            return engine.features_by(self.int8, [batch], self.device, size, flip)
        return engine.extract_features(self.network, [batch], self.device, self.precision, size, flip)

    def explain(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Aggregation maps and predicted part masks, as `sorn.engine.explain` gives them."""
        return engine.explain(self.network, batch, self.device, self.computed)

    def adapt(self, count: int, read: Callable[[np.ndarray], Batch]) -> None:
        """Batch norms adapted to some images, before they are folded (`sorn.adaptation`).

        count: number of images, at least 2. read: images of positions int64 [B]. Batches are drawn the same way each
        time, so the result depends on the images and their order alone.
        """
        network = load_network(self.weights, self.model, self.device)

        def look(chosen: np.ndarray) -> Moments:
            return batch_moments(network, read(chosen).image.to(self.device), self.precision)

        order = np.random.default_rng(0).permutation(count)  # neighbours in a gallery are pictures of one person
        batches = [(np.sort(chosen),) for chosen in np.array_split(order, -(-count // ADAPTATION_BATCH))]
        adapt_norms(network, progress(self.run(look, batches), count, "norms", step=ADAPTATION_BATCH))
        self.network = self._fused(network)

    def _fused(self, network: SORN) -> SORN:
        return fused(network, self.computed, uses_amx(self.computed, self.device))

    def _use_gpu(self) -> None:
        torch.cuda.set_device(self.device)  # every thread has its own device, to which page-locked memory belongs
