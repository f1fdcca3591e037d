"""Rows about trainings: loss curves, and trainings that were stopped.

All of them train the same network on the same shards, from the same weights, with the same batches and flips. So the
first loss differs by the rounding of one forward pass alone. After some steps the rounding of all steps has added up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.csv_table import read_table
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import driver, train
from pipeline.tools.gpu_check.made_up import draw_dataset
from pipeline.tools.gpu_check.outcome import FAIL, NOT_THERE, Outcome, above, judged
from pipeline.tools.gpu_check.row import in_another_process
from pipeline.tools.gpu_check.setting import STAGES, CheckSetting, execute
from pipeline.training.loop import Training
from sorn.batch import Batch

REFERENCE = "cpu"  # the experiment of the CPU
STOPPED = 128 + signal.SIGTERM  # exit code of a training that was asked to stop
COMPILERS = ("cc", "gcc", "clang")  # one of them builds what torch.compile has written

# Differences from the CPU's losses in fp32 that are accepted, in % of these: some ten times those of bf16 and fp16 on
# a CPU (docs/gpu.md).
FIRST = {"fp32": 0.05, "fp16": 0.2, "bf16": 0.5}  # of the first step
LAST = 5.0  # of the mean over the last epoch


def reference(setting: CheckSetting) -> Outcome:
    """Training on the CPU, with which the others are compared.

    The dataset is drawn and its shards are made before.
    """
    draw_dataset(setting)
    run = setting.run(REFERENCE, ["train.precision=fp32"], "cpu")
    execute(run, "data", "masks", "train")
    losses = loss_curve(run.paths)
    sizes, rate = setting.sizes, images_per_second(run.paths)
    figure = f"{sizes.people * sizes.pictures} pictures, loss {losses[0]:.3g} -> {losses[-1]:.3g}, {rate:.0f} images/s"
    return judged(figure, {"images_per_second": rate, **_named(losses)}, [])


def in_bf16(setting: CheckSetting) -> Outcome:
    return trained(setting, "bf16")


def in_fp16(setting: CheckSetting) -> Outcome:
    return trained(setting, "fp16")


def trained(setting: CheckSetting, precision: str) -> Outcome:
    """Training in one precision, and another one that is stopped.

    It is stopped in another process and goes on in this one.
    """
    run = setting.run(precision, [f"train.precision={precision}"])
    execute(run, "train")
    code = in_another_process(f"{__name__}:stop_{precision}", setting)
    if code != STOPPED:
        return Outcome(FAIL, reason=f"the training that was to be stopped ended with exit code {code}, not {STOPPED}")
    stopped = _to_be_stopped(setting, precision)
    execute(stopped, "train")
    wrong, figure, values = beside_the_cpu(setting, run.paths, precision)
    unequal = unequal_tensors(run.paths, stopped.paths)
    values["unequal_tensors"] = len(unequal)
    if unequal:
        wrong.append(f"{len(unequal)} tensors differ after a stop, such as {unequal[0]}")
    same = "not the same bits after a stop" if unequal else "the same bits after a stop"
    return judged(f"{figure}; {same}", values, wrong)


def stop_bf16(setting: CheckSetting) -> Outcome:
    return stop(setting, "bf16")


def stop_fp16(setting: CheckSetting) -> Outcome:
    return stop(setting, "fp16")


def stop(setting: CheckSetting, precision: str) -> Outcome:
    """Training that is stopped in the middle of an epoch.

    The process exits with STOPPED.
    """

    def begin(run: Run, fingerprint: str) -> Training:
        training = StoppedTraining(run, fingerprint)
        training.run()
        return training

    stage: Any = SimpleNamespace(**(vars(train) | {"run": begin}))
    stages: dict[str, Any] = {**STAGES, "train": stage}
    driver.execute(stages, "train", _to_be_stopped(setting, precision))
    return Outcome(FAIL, reason="the training was not stopped")


class StoppedTraining(Training):
    """Training that stops itself in the middle of its second epoch."""

    def _run_step(self, batch: Batch) -> None:
        if self._done == self.steps + self.steps // 2:
            os.kill(os.getpid(), signal.SIGTERM)
        super()._run_step(batch)


def _to_be_stopped(setting: CheckSetting, precision: str) -> Run:
    return setting.run(f"{precision}-stopped", [f"train.precision={precision}"])


def compiled(setting: CheckSetting) -> Outcome:
    """A training of the compiled network."""
    run = setting.run("compiled", ["train.precision=bf16", "train.compile=true"])
    start = time.monotonic()
    try:
        execute(run, "train")
    except UserError as error:
        found = [name for name in (os.environ.get("CC", ""), *COMPILERS) if name and shutil.which(name)]
        return Outcome(FAIL if found else NOT_THERE, reason=error.wrong if found else "a C compiler, such as gcc")
    seconds = time.monotonic() - start
    wrong, figure, values = beside_the_cpu(setting, run.paths, "bf16")
    return judged(f"{figure}; {seconds:.0f} s with compiling", {**values, "seconds": seconds}, wrong)


def in_two_processes(setting: CheckSetting) -> Outcome:
    """Training that two processes on one device share."""
    run = setting.run("two", ["train.precision=fp32", "train.batch_norm=sync"])
    device, environment = one_device(setting.device, dict(os.environ))
    words = {
        "dataset": setting.dataset,
        "labeler": run.paths.labeler,
        "config": setting.options,
        "data-root": setting.folder,
        "runs": run.paths.runs,
        "experiment": run.paths.experiment,
        "device": device,
    }
    options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    options += [word for option in run.command.overrides for word in ("--set", option)]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, "-m", "pipeline", "train", *options]
    code = subprocess.run(command, check=False, env=environment).returncode
    if code:
        return Outcome(FAIL, reason=f"the two processes ended with exit code {code}: see the log")
    wrong, figure, values = beside_the_cpu(setting, run.paths, "fp32")
    return judged(figure, values, wrong)


def one_device(device: str, environment: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Option --device and environment for processes on one device.

    They see one GPU, or use the CPU. device: of the check. environment: of this process.
    """
    environment = environment | {"OMP_NUM_THREADS": "1"}
    if device == "cpu":
        return device, environment
    number = int(device.partition(":")[2] or 0)
    seen = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    chosen = seen[number] if number < len(seen) else str(number)
    return "auto", environment | {"CUDA_VISIBLE_DEVICES": chosen}


def beside_the_cpu(
    setting: CheckSetting, paths: Paths, precision: str
) -> tuple[list[str], str, dict[str, float | str]]:
    """Complaints, figure and values of a training beside the CPU's."""
    cpu, found = loss_curve(setting.paths(REFERENCE)), loss_curve(paths)
    epoch = len(cpu) // setting.sizes.epochs
    first, last = (100 * abs(1 - a / b) for a, b in ((found[0], cpu[0]), (found[-epoch:].mean(), cpu[-epoch:].mean())))
    wrong = above("first loss", first, FIRST[precision], " % off") + above("last epoch's loss", last, LAST, " % off")
    if len(found) != len(cpu):
        wrong.append(f"{len(found)} steps, and the CPU made {len(cpu)}")
    rate = images_per_second(paths)
    figure = (
        f"loss {found[0]:.3g} -> {found[-1]:.3g}: {first:.2g} % and {last:.2g} % off the CPU's; {rate:.0f} images/s"
    )
    values = {"first_off_percent": first, "last_epoch_off_percent": last, "images_per_second": rate}
    return wrong, figure, {**values, **_named(found)}


def loss_curve(paths: Paths) -> np.ndarray:
    """Total loss of every step, float64 [n]."""
    return _scalars(paths, "loss/total")


def images_per_second(paths: Paths) -> float:
    """Rate of the last epoch."""
    return float(_scalars(paths, "speed/images_per_second")[-1])


def _scalars(paths: Paths, name: str) -> np.ndarray:
    rows = read_table(paths.scalar_table, ("step", "name", "value"), "Train again.")
    return np.array([float(row["value"]) for _, row in rows if row["name"] == name])


def _named(losses: np.ndarray) -> dict[str, float | str]:
    return {"first_loss": float(losses[0]), "last_loss": float(losses[-1])}


def unequal_tensors(one: Paths, other: Paths) -> list[str]:
    """Names of the weights that differ in any bit."""
    left, right = (checkpoints.read_weights(paths.checkpoint) for paths in (one, other))
    names = sorted(left.keys() | right.keys())
    return [name for name in names if name not in left or name not in right or not torch.equal(left[name], right[name])]
