"""The training loop of stage 2: shards -> batches -> SORN -> checkpoints. Reads the train split, writes the weights.

A state file holds all that the next step depends on: weights, optimizer, epoch and step. The order of the images, the
flips and the jitter are functions of (seed, epoch, step), so there is no generator state to save.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import click
import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from pipeline import checkpoints, stamp
from pipeline.config import Config, as_json
from pipeline.device import pick_device
from pipeline.errors import UserError
from pipeline.initial_weights import load_initial_weights
from pipeline.layout import Paths
from pipeline.progress import Progress
from pipeline.shard_dataset import ShardDataset
from sorn import engine
from sorn.batch import Batch
from sorn.network import SORN
from sorn.schedule import build_optimizer, learning_rate, set_learning_rate

STATE_EVERY_SECONDS = 120.0  # besides the end of every epoch; when a state is written changes no result
SHUFFLE, AUGMENT = range(2)  # streams of random numbers under one seed


class Training:
    """One training run; `run()` goes on from the state file of the same fingerprint, if there is one."""

    def __init__(self, config: Config, paths: Paths, fingerprint: str) -> None:
        self.config, self.paths, self.fingerprint = config, paths, fingerprint
        self.data = ShardDataset(paths.shard_index, "train")
        if config.model.semantic_branch:
            self.data.require_labels()
        self.steps = len(self.data) // config.train.batch_size
        if config.train.last_batch == "keep":
            self.steps = -(-len(self.data) // config.train.batch_size)
        if self.steps == 0:
            raise UserError(
                f"the train split has {len(self.data)} images, fewer than one batch of {config.train.batch_size}",
                "Use a smaller batch: --set train.batch_size=...",
            )
        self.device = pick_device(config.runtime.device)
        self.precision = engine.pick_precision(config.train.precision, self.device)
        self.model_config = dataclasses.replace(config.model, identities=self.data.identities)
        self.epoch = self.step = 0
        self._seed()
        self.model = SORN(self.model_config)
        load_initial_weights(self.model, config.train.init, config.model.backbone, "train.init")
        self.model = self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = build_optimizer(self.model, config.schedule, config.train.weight_decay)

    def run(self) -> None:
        self._resume()
        epochs, done = self.config.schedule.epochs, self.epoch * self.steps + self.step
        click.echo(
            f"train: {len(self.data)} images of {self.data.identities} pids, {epochs} epochs of {self.steps} steps, "
            f"{self.model_config.backbone} in {self.precision} on {self.device}"
        )
        self.saved = time.monotonic()
        with (
            SummaryWriter(str(self.paths.tensorboard), purge_step=done) as self.scalars,
            Progress(epochs * self.steps, "train", "steps", done) as self.shown,
        ):
            while self.epoch < epochs:
                self._run_epoch()
                self.epoch, self.step = self.epoch + 1, 0
                self._save_state()
        self._publish()

    def _run_epoch(self) -> None:
        train = self.config.train
        try:
            engine.train_one_epoch(
                self.model,
                self._batches(),
                self.optimizer,
                self.config.loss,
                engine.Augmentation(train.flip, train.brightness),
                lambda step: np.random.default_rng([train.seed, AUGMENT, self.epoch, step]),
                self._before_step,
                self._after_step,
                self.device,
                self.precision,
            )
        except engine.Diverged as error:
            raise UserError(
                f"training diverged: {error}, epoch {self.epoch}",
                "Lower the rate (--set schedule.base_lr=...) or compute in fp32 (--set train.precision=fp32); "
                f"the last good state is {self.paths.training_state(self.fingerprint)}.",
            ) from error

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        """The rest of this epoch's batches, numbered: a seeded permutation of all images, cut into batches."""
        train = self.config.train
        order = np.random.default_rng([train.seed, SHUFFLE, self.epoch]).permutation(len(self.data))
        size = train.batch_size
        chosen = [order[step * size : (step + 1) * size].tolist() for step in range(self.step, self.steps)]
        loader: DataLoader[Any] = DataLoader(
            self.data,
            batch_sampler=chosen,
            collate_fn=ShardDataset.collate,  # type: ignore[arg-type]  # __getitems__ gives whole batches
            num_workers=min(self.config.runtime.workers, 1 if self.device.type == "cpu" else 64),
            pin_memory=self.device.type == "cuda",
        )
        return enumerate(loader, start=self.step)

    def _before_step(self, step: int) -> None:
        rate = learning_rate(self.config.schedule, self.epoch + step / self.steps)
        set_learning_rate(self.optimizer, rate)

    def _after_step(self, step: engine.Step) -> None:
        self.step = step.number + 1
        number = self.epoch * self.steps + step.number
        for name, value in step.losses.items():
            self.scalars.add_scalar(f"loss/{name}", value, number)
        self.scalars.add_scalar("lr", self.optimizer.param_groups[0]["lr"], number)
        parts = ", ".join(f"{name} {value:.3g}" for name, value in step.losses.items())
        self.shown.advance(1, f"epoch {self.epoch + 1}/{self.config.schedule.epochs}, {parts}")
        if time.monotonic() - self.saved > STATE_EVERY_SECONDS:
            self._save_state()

    def _seed(self) -> None:
        torch.manual_seed(self.config.train.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False

    def _save_state(self) -> None:
        """Called between steps only: `step` is the next one to run."""
        state = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoints.save_state(self.paths.training_state(self.fingerprint), state)
        self.saved = time.monotonic()

    def _resume(self) -> None:
        path = self.paths.training_state(self.fingerprint)
        if not path.exists():
            shutil.rmtree(self.paths.tensorboard, ignore_errors=True)  # scalars of a run that was something else
            return
        state = checkpoints.load_state(path, self.fingerprint)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        click.echo(f"train: going on at epoch {self.epoch + 1}, step {self.step} ({path})")

    def _publish(self) -> None:
        """Weights first, then what they are; states are no longer needed."""
        metadata = {"fingerprint": self.fingerprint}
        checkpoints.save_weights(self.paths.checkpoint, self.model.state_dict(), metadata)
        described = {
            "model": as_json(self.model_config),
            "train": as_json(self.config.train),
            "schedule": as_json(self.config.schedule),
            "loss": as_json(self.config.loss),
            "precision": self.precision,
            "image_size": list(self.data.image_size),
            "pids": list(self.data.index.pids),
            "dataset": self.paths.dataset_name,
            "labeler": self.paths.labeler,
        }
        stamp.write_atomically(self.paths.train_config, json.dumps(described, indent=1) + "\n")
        for state in self.paths.folder("train").glob("state-*.pt"):
            state.unlink()
