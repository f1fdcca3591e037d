"""Training loop of stage 2: shards -> batches -> SORN -> checkpoint.

A training state holds everything that the next step depends on: weights, their average, optimizer, gradient scale,
epoch, step and the best weights so far. The order of the images and their augmentation are functions of (seed, epoch,
step), so no state of a random generator is saved. The processes of torchrun share every batch: each computes its
images, and process 0 writes.
"""

from __future__ import annotations

import dataclasses
import shutil
import time

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.files import write_json
from pipeline.io.networks import sorn_network
from pipeline.io.weights_metadata import described_normalisation
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.runtime import distributed, signals
from pipeline.runtime.arithmetic import described, training_precision
from pipeline.runtime.core_share import CoreShare
from pipeline.runtime.device import pick_device
from pipeline.runtime.memory import keep_freed_memory
from pipeline.runtime.repeatable import make_repeatable
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.loader import BatchLoader
from pipeline.training.initial_weights import load_initial_weights
from pipeline.training.layers import prepare_layers
from pipeline.training.log import TrainingLog, picture_bytes
from pipeline.training.sampler import BatchOrder
from pipeline.training.start import described_start
from pipeline.training.states import BestEpoch, TrainingStates, load_scale, state_bytes
from pipeline.training.validation import Validation
from sorn import engine
from sorn.augmentation import Augmentation
from sorn.averaging import WeightAverage
from sorn.batch import Batch
from sorn.network import SORN
from sorn.schedule import build_optimizer, learning_rate, set_learning_rate

STATE_EVERY_SECONDS = 120.0  # besides the end of every epoch; when a state is written changes no result


class Training:
    """One training of SORN.

    `run()` continues from the newest training state with the same fingerprint. `publish()` writes the weights.
    """

    def __init__(self, run: Run, fingerprint: str) -> None:
        config, paths = run.config, run.paths
        self.config, self.paths, self.fingerprint = config, paths, fingerprint
        self.process = distributed.here()
        self.data = ShardDataset(paths.shard_index, "train")
        if config.model.semantic_branch:
            self.data.require_labels()
        least = config.model.least_images(self.data.image_size)
        self.order = BatchOrder(len(self.data), config.train, self.process, least)
        self.steps = self.order.steps
        self.validation = Validation(run) if config.train.validate_every else None
        self.device = pick_device(config.runtime.device)
        self.precision = training_precision(config.train.precision, self.device, self.data.image_size[1])
        self.model_config = dataclasses.replace(config.model, identities=self.data.identities)
        self.augmentation = Augmentation(
            **{field.name: getattr(config.train, field.name) for field in dataclasses.fields(Augmentation)}
        )
        self.states = TrainingStates(paths, "train", fingerprint)
        self.epoch = self.step = 0
        self.best: BestEpoch | None = None
        self.last_step: int | None = None  # of the whole training, after a process received a signal to stop
        make_repeatable(config.train.seed)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.share = CoreShare("train", self.device)
        model = sorn_network(self.model_config)
        init, backbone = config.train.init, config.model.backbone
        self.start = load_initial_weights(model, init, backbone, "train.init", paths.settled.train_config)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        prepare_layers(self.model, config.train, self.process.world)
        averaged = config.train.average and self.process.number == 0  # the weights of all processes are equal
        self.average = WeightAverage(self.model, config.train.average) if averaged else None
        self.optimizer = build_optimizer(self.model, config.schedule, config.train.weight_decay)
        pictures = config.schedule.epochs * picture_bytes(self.model_config, self.data.image_size)
        copies = 1 + (config.train.keep == "best") + (config.train.average > 0)
        self.states.require_space(state_bytes(self.model, self.optimizer, copies), pictures)
        distributed.meet()  # raises the error of a process that cannot take part
        pieces = config.train.accumulate
        self.stepper = engine.Stepper(self.model, self.optimizer, config.loss, self.precision, pieces, self._wrap)
        self.readout = engine.Readout(self.device)

    def run(self) -> None:
        self._resume()
        epochs = self.config.schedule.epochs
        shared = f", shared by {self.process.world} processes" if self.process.world > 1 else ""
        computed = f"{self.model_config.backbone} in {described(self.precision, self.device, self.data.image_size[1])}"
        distributed.say(
            f"train: {len(self.data)} images of {self.data.identities} pids, {epochs} epochs of {self.steps} steps of "
            f"{self.config.train.batch_size}, {computed}{shared}"
        )
        if self.order.left_out and self.config.train.last_batch == "keep":
            distributed.say(
                "train: train.last_batch = keep, but the last batch of an epoch is one image, and batch normalisation "
                "needs two: each epoch leaves out another image"
            )
        self.saved = time.monotonic()
        try:
            with (
                signals.deferred("train", quiet=self.process.number > 0) as self.interruption,
                TrainingLog(self.paths, epochs, self.steps, self._done) as self.log,
                self.share,
            ):
                while self.epoch < epochs:
                    self._run_epoch()
        except engine.Diverged as error:  # read by every process
            raise self._diverged(error) from error
        except UserError as error:  # the other processes wait in a step, not in a barrier
            raise distributed.SharedFailure(error.wrong, error.remedy) from error
        except torch._dynamo.exc.TorchDynamoException as error:
            wrong = f"torch cannot compile the network on this machine: {str(error).strip().splitlines()[0]}"
            raise UserError(wrong, "Install a C++ compiler, or leave it: --set train.compile=false") from error
        except RuntimeError as error:
            lost = distributed.lost(error)
            if lost is None:
                raise
            raise lost from error

    @property
    def _result(self) -> SORN:
        """Network that is evaluated and published, in process 0: the trained one, or the average."""
        return self.average.network if self.average else self.model

    @property
    def _done(self) -> int:
        """Finished steps of the whole training."""
        return self.epoch * self.steps + self.step

    def _run_epoch(self) -> None:
        self.log.begin_epoch()
        self.loader = BatchLoader(
            self.data,
            self.order.rest(self.epoch, self.step),
            workers=min(self.config.runtime.workers, 1 if self.device.type == "cpu" else 64),
            pin=self.device.type == "cuda",
        )
        for batch in self.loader:
            self._run_step(batch)
            self._read()
            self.share.adapt()
            if self.last_step is not None and self._done >= self.last_step:
                self._stop()
            if time.monotonic() - self.saved > STATE_EVERY_SECONDS:
                self._save_state()
        self._read(everything=True)
        self._end_epoch()

    def _run_step(self, batch: Batch) -> None:
        """Queue the next step, without waiting for a GPU."""
        chosen = self.order.batch(self.epoch, self.step)
        set_learning_rate(self.optimizer, learning_rate(self.config.schedule, self.epoch + self.step / self.steps))
        draw = self.augmentation.draw(self.order.generator(self.epoch, self.step), len(chosen))
        labelled = self.data.labelled[chosen].sum() / self.order.pieces
        batch = batch.to(self.device, non_blocking=True)
        losses = self.stepper.step(batch, draw.of(self.order.own(len(chosen))), float(labelled))
        if self.average:
            self.average.update(self._done)
        self.readout.put(self.step, self._mean_over_processes(losses))
        self.step += 1

    def _read(self, everything: bool = False) -> None:
        """Log and check the losses that have reached the host. Raises Diverged."""
        for step, (*values, stop) in self.readout.read(everything):
            losses = dict(zip(self.stepper.names, values, strict=True))
            images = len(self.order.batch(self.epoch, step))
            rate = learning_rate(self.config.schedule, self.epoch + step / self.steps)
            self.log.step(self.epoch, step, losses, images, rate, self.loader.waited)
            engine.require_finite(losses, step)
            if stop and self.last_step is None:  # all processes read this, though not at the same time
                self.last_step = self.epoch * self.steps + step + 1 + self.readout.lag

    def _mean_over_processes(self, losses: Tensor) -> Tensor:
        """Mean losses, and whether any process received a signal to stop.

        float32 [n + 1], the same in all processes; the last value is positive for a signal.
        """
        stop = torch.full((1,), float(self.interruption.signal > 0), device=losses.device)
        values = torch.cat([losses.float(), stop])
        if self.process.world > 1:
            dist.all_reduce(values)
            values /= self.process.world
        return values

    def _end_epoch(self) -> None:
        validated: dict[str, float] = {}
        engine.require_finite_weights(self.model)  # equal in all processes
        train, ended = self.config.train, self.epoch
        last = ended + 1 == self.config.schedule.epochs
        if self.process.number == 0:  # the other processes wait for it in their next step
            if self.validation is not None and ((ended + 1) % train.validate_every == 0 or last):
                validated = self.validation.figures(self._result, self.device, self.precision)
                self._remember_best(validated["mAP"])
            self.log.end_epoch(ended, self.loader.waited, validated)
            self.log.show(ended, self._result, self.data, self.device, self.precision)
        self.epoch, self.step = ended + 1, 0
        if self.last_step is not None and not last:
            self._stop()
        self._save_state()

    def _remember_best(self, mean_ap: float) -> None:
        if self.config.train.keep == "best" and mean_ap > (self.best.mean_ap if self.best else -1.0):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self._result.state_dict().items()}
            self.best = BestEpoch(mean_ap, self.epoch, weights)

    def _stop(self) -> None:
        """Write the training state and end this process, after a signal to stop."""
        self._save_state()
        distributed.say(
            f"train: stopped after {self._done} of {self.config.schedule.epochs * self.steps} steps; the same command "
            f"goes on from there ({self.states.files[-1]})"
        )
        distributed.meet()  # a launcher ends all processes as soon as one has ended
        self.interruption.exit()

    def _diverged(self, error: engine.Diverged) -> UserError:
        files = self.states.files
        good = f"the last good state is {files[-1]}." if files else "there is no state before it."
        return UserError(
            f"training diverged: {error}, epoch {self.epoch + 1} of {self.config.schedule.epochs}",
            "Lower the rate (--set schedule.base_lr=...) or compute in fp32 (--set train.precision=fp32); " + good,
        )

    def _wrap(self, objective: nn.Module) -> nn.Module:
        if self.config.train.compile:
            objective.compile()
        if self.process.world == 1:
            return objective
        return DistributedDataParallel(objective, gradient_as_bucket_view=True)

    def _save_state(self) -> None:
        """Write a training state.

        Called between steps only: `step` is the next step, and the losses of all steps before it were finite.
        """
        self._read(everything=True)
        self.saved = time.monotonic()
        if self.process.number:
            return
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.stepper.scaler.state_dict(),
            "average": self.average.network.state_dict() if self.average else {},
            "best": self.best.as_state() if self.best else {},
        }
        self.states.save(self._done, state)

    def _resume(self) -> None:
        loaded = self.states.load()
        if loaded is None:
            if self.process.number == 0:
                shutil.rmtree(self.paths.tensorboard, ignore_errors=True)  # scalars of an earlier, different training
            return
        path, state = loaded
        self.model.load_state_dict(state["model"])
        if self.average:
            self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        load_scale(self.stepper.scaler, state["scaler"])
        self.epoch, self.step, self.best = state["epoch"], state["step"], BestEpoch.of_state(state["best"])
        distributed.say(f"train: going on at epoch {self.epoch + 1}, step {self.step} ({path})")

    def publish(self) -> None:
        """Write the weights, then their description."""
        weights = self.best.weights if self.best else self._result.state_dict()
        metadata = {"fingerprint": self.fingerprint} | described_normalisation(self.model.normalisation)
        checkpoints.save_weights(self.paths.checkpoint, weights, metadata)
        described = {
            "model": as_json(self.model_config),
            "train": as_json(self.config.train),
            "schedule": as_json(self.config.schedule),
            "loss": as_json(self.config.loss),
            "precision": self.precision,
            "processes": self.process.world,
            "best": {"epoch": self.best.epoch, "mAP": self.best.mean_ap} if self.best else None,
            "image_size": list(self.data.image_size),
            "pids": list(self.data.index.pids),
            "dataset": self.paths.dataset_name,
            "labeler": self.paths.labeler,
            **described_start(self.start),
        }
        write_json(self.paths.train_config, described)
