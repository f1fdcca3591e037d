"""Training loop of the labeler stage: crops -> DANet -> danet.safetensors.

Reads the split `labeler`. As in `training.loop`, a training state holds everything that the next step depends on.
Crops, their order and dropout are functions of (seed, epoch, step). So a training that was killed and continued ends
with the same weights, bit for bit.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.files import write_json
from pipeline.io.networks import danet_network
from pipeline.io.weights_metadata import described_normalisation
from pipeline.runs.checkpoint_info import DanetInfo
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runtime import signals
from pipeline.runtime.arithmetic import described, training_precision
from pipeline.runtime.core_share import CoreShare
from pipeline.runtime.device import pick_device
from pipeline.runtime.memory import keep_freed_memory
from pipeline.runtime.progress import Progress
from pipeline.runtime.repeatable import make_repeatable
from pipeline.training.danet_crops import CropDataset, Crops
from pipeline.training.initial_weights import load_initial_weights
from pipeline.training.start import described_start
from pipeline.training.states import TrainingStates, load_scale, state_bytes
from sorn import engine
from sorn.batch import to_input
from sorn.danet import danet_loss

logger = logging.getLogger(__name__)

STATE_EVERY_SECONDS = 120.0  # besides the end of every epoch; when a state is written changes no result
ORDER = 0  # stream of random numbers under the seed; the crops have another one
WARM_UP = 0.05  # share of all steps over which the rate rises
POWER = 0.9  # of the decay of the rate, as in the DANet paper


class LabelerTraining:
    """One training of DANet.

    `run()` continues from the newest training state with the same fingerprint, if there is one.
    """

    def __init__(
        self, config: Config, paths: Paths, fingerprint: str, records: list[ImageRecord], masks: list[Path]
    ) -> None:
        self.config, self.paths, self.fingerprint = config, paths, fingerprint
        options = self.options = config.danet
        self.data = CropDataset(records, masks, options)
        self.steps = len(self.data) // options.batch_size
        if self.steps == 0:
            raise UserError(
                f"the split labeler has {len(self.data)} images, fewer than one batch of {options.batch_size}",
                "Use a smaller batch: --set danet.batch_size=...",
            )
        self.device = pick_device(config.runtime.device)
        self.precision = training_precision(options.precision, self.device, options.image_size[1])
        if self.device.type == "cpu":
            keep_freed_memory()
        self.share = CoreShare("labeler", self.device)
        make_repeatable(options.seed)
        self.model = danet_network(options.backbone, options.width)
        described = paths.settled.labeler_config
        self.start = load_initial_weights(self.model, options.init, options.backbone, "danet.init", described)
        self.model = self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=options.base_lr, weight_decay=options.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.states = TrainingStates(paths, "labeler", fingerprint)
        self.states.require_space(state_bytes(self.model, self.optimizer))
        self.done = 0  # steps of the whole training

    def run(self) -> None:
        self._resume()
        total = self.options.epochs * self.steps
        logger.info(
            f"labeler: {len(self.data)} images, {self.options.epochs} epochs of {self.steps} steps, "
            f"DANet on {self.options.backbone} in {described(self.precision, self.device, self.options.image_size[1])}"
        )
        self.saved = time.monotonic()
        self.model.train()
        with signals.deferred("labeler") as stop, Progress(total, "labeler", "steps", self.done) as shown, self.share:
            while self.done < total:
                for crops in self._epoch():
                    losses = self._step(crops, total)
                    self.done += 1
                    self.share.adapt()
                    text = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
                    shown.advance(1, f"epoch {(self.done - 1) // self.steps + 1}/{self.options.epochs}, {text}")
                    if stop.signal or time.monotonic() - self.saved > STATE_EVERY_SECONDS:
                        self._save_state()
                    if stop.signal:
                        logger.info(f"labeler: stopped before step {self.done}; the same command goes on from there")
                        stop.exit()
                self._save_state()
        self._publish()

    def _epoch(self) -> Iterator[Crops]:
        """Remaining batches of this epoch: a seeded permutation of all images, cut into batches."""
        epoch, first = divmod(self.done, self.steps)
        size = self.options.batch_size
        order = np.random.default_rng([self.options.seed, ORDER, epoch]).permutation(len(self.data))
        self.data.epoch = epoch  # read by the workers, which start with each iteration
        loader: DataLoader[Any] = DataLoader(
            self.data,
            batch_sampler=[order[step * size : (step + 1) * size].tolist() for step in range(first, self.steps)],
            collate_fn=CropDataset.collate,  # type: ignore[arg-type]  # __getitems__ gives whole batches
            num_workers=min(self.config.runtime.workers, 1 if self.device.type == "cpu" else 64),
            pin_memory=False,
        )
        return iter(loader)

    def _step(self, crops: Crops, total: int) -> dict[str, float]:
        torch.manual_seed(self.options.seed * 1_000_003 + self.done)  # of dropout
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options.base_lr, self.done / total)
        image = to_input(crops.image.to(self.device), self.model.normalisation)
        target = crops.mask.to(self.device).long()
        with engine.autocast(self.device, self.precision):
            output = self.model(image)
        losses = danet_loss(output, target, self.options.aux_weight)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["total"]).backward()  # type: ignore[no-untyped-call]
        values = {name: value.item() for name, value in losses.items()}
        if not math.isfinite(values["total"]):
            raise UserError(
                f"the labeler's training diverged at step {self.done}: {values}",
                "Lower the rate (--set danet.base_lr=...) or compute in fp32 (--set danet.precision=fp32).",
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return values

    def _save_state(self) -> None:
        """Write a training state. Called between steps only: `done` is the number of the next step."""
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        self.states.save(self.done, state)
        self.saved = time.monotonic()

    def _resume(self) -> None:
        loaded = self.states.load()
        if loaded is None:
            return
        path, state = loaded
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        load_scale(self.scaler, state.get("scaler", {}))
        self.done = state["done"]
        logger.info(f"labeler: going on at step {self.done} ({path})")

    def _publish(self) -> None:
        """Write the weights and their description, also as metadata. The training states stay until then."""
        info = DanetInfo(self.options, self.paths.dataset_name, self.precision, self.fingerprint)
        described = info.as_json() | described_start(self.start) | described_normalisation(self.model.normalisation)
        checkpoints.save_weights(self.paths.labeler_checkpoint, self.model.state_dict(), described)
        write_json(self.paths.labeler_config, described)


def learning_rate(base: float, progress: float) -> float:
    """Learning rate at a share `progress` of the training.

    progress: in [0, 1). The rate rises linearly over the first steps, times base * (1 - progress)^0.9.
    """
    rate: float = base * min(1.0, (progress + 1e-3) / WARM_UP) * (1 - progress) ** POWER
    return rate
