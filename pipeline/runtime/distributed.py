"""Processes that torchrun starts for one stage.

    torchrun --nproc-per-node 2 -m pipeline masks ...

The processes may be on one machine or on many, which share a file system. They divide the work by their number and wait
for each other at the end; then process 0 continues alone. Without torchrun there is one process, and torch is never
imported here. Reads environment variables only.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeline.errors import UserError

logger = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(days=30)  # for the slowest process; a process that died is noticed at once
TIME_TO_REPORT = 5.0  # s for process 0 to report a failure: torchrun ends all processes as soon as one has ended


@dataclass(frozen=True)
class Process:
    """One process among those of torchrun.

    number: 0 .. world - 1, torchrun's rank. local: number among the `local_world` processes of this machine.
    """

    number: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1


class SharedFailure(UserError):
    """Failure that no other process has to learn.

    The other processes know it already, or the process group is lost.
    """


def here() -> Process:
    """This process, read from the variables of torchrun.

    Raises UserError where they are no numbers.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Process()
    values = [os.environ.get(name, default) for name, default in zip(names, ("0", "1", "0", "1"), strict=True)]
    try:
        return Process(*map(int, values))
    except ValueError as error:
        variables = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise UserError(f"{variables} are not numbers of processes", "Start with torchrun, or unset them.") from error


def cores() -> int:
    """Number of cores for this process.

    The cores that it may use are divided between the processes of this machine.
    """
    import joblib  # knows about affinities and containers; takes a moment to import

    share: int = max(1, joblib.cpu_count() // here().local_world)
    return share


def say(text: str) -> None:
    """Message on the terminal, printed by process 0 only."""
    if here().number == 0:
        logger.info(text)


def join(device: str = "auto") -> None:
    """Barrier at the start of all processes.

    device: as in --device. Raises UserError where they cannot find each other.
    """
    import torch.distributed as dist
    import torch.distributed.nn.functional  # noqa: F401  # before there is a group, which it would keep for good

    try:
        dist.init_process_group(_backends(device), timeout=LONGEST_WAIT)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the processes cannot find each other: {_first_line(error)}",
            "Start with torchrun on every machine, or unset RANK and WORLD_SIZE.",
        ) from error


def _backends(device: str) -> str:
    """Backends of the process group: messages by gloo, gradients by nccl where every process has a GPU of its own.

    NCCL refuses two processes on one GPU; gloo takes the gradients through the memory of the host.
    """
    import torch

    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return "gloo"
    own, gpus = here(), torch.cuda.device_count()
    torch.cuda.set_device(own.local % gpus)
    return "cpu:gloo,cuda:nccl" if own.local_world <= gpus else "gloo"


def meet(failure: UserError | None = None, value: Any = None) -> Any:
    """Barrier that broadcasts `value` from process 0.

    If a process fails, all of them stop: process 0 raises the first failure as a SharedFailure, and the others end with
    exit code 1. Without torchrun, and after the last barrier, returns `value` itself.
    """
    own = here()
    if own.world == 1:
        return value
    import torch.distributed as dist

    if not dist.is_initialized():
        return value
    answers: list[Any] = [None] * own.world
    own_failure = (failure.wrong, failure.remedy) if failure else None
    try:
        dist.all_gather_object(answers, (own_failure, value if own.number == 0 else None))
    except RuntimeError as error:
        raise _lost(error) from error
    failures = [(number, *failure_of) for number, (failure_of, _) in enumerate(answers) if failure_of]
    if failures:
        if own.number:
            time.sleep(TIME_TO_REPORT)
            raise SystemExit(1)
        number, wrong, remedy = failures[0]
        raise SharedFailure(f"process {number}: {wrong}" if number else wrong, remedy)
    return answers[0][1]


def lost(error: RuntimeError) -> SharedFailure | None:
    """Error for an exchange of gradients that failed because another process ended.

    None for an error of another kind. After it no further barrier is possible.
    """
    import torch.distributed as dist

    if here().world == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
        return None
    return _lost(error)


def _lost(error: RuntimeError) -> SharedFailure:
    wrong = f"another process than {here().number} ended before its work was done: {_first_line(error)}"
    return SharedFailure(wrong, "Read its messages above and run the command again: finished work is kept.")


def leave() -> None:
    """End of the process group; no barrier follows."""
    if here().world == 1:
        return
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
