"""The processes that torchrun starts for one stage, on one machine or many. Reads the environment only.

    torchrun --nproc-per-node 2 -m pipeline masks ...

They share a file system, divide the work by their number and meet when it is done; then process 0 goes on alone.
Without torchrun there is one process, and torch is never imported here. The driver of the stages joins and leaves.
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

LONGEST_WAIT = timedelta(days=30)  # for the slowest process; one that died is noticed at once
WHILE_SPEAKING = 5.0  # s that others give process 0 to say what failed: torchrun ends all when one has ended


@dataclass(frozen=True)
class Process:
    """number: of 0 .. world - 1. local: the same among the `local_world` processes of this machine."""

    number: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1


class SharedFailure(UserError):
    """A failure that the other processes know already, or can no longer be told: nobody is left to meet."""


def here() -> Process:
    """This process, from the variables that torchrun sets. Raises UserError where they are no numbers."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Process()
    values = [os.environ.get(name, default) for name, default in zip(names, ("0", "1", "0", "1"), strict=True)]
    try:
        return Process(*map(int, values))
    except ValueError as error:
        said = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise UserError(f"{said} are not numbers of processes", "Start with torchrun, or unset them.") from error


def cores() -> int:
    """Cores that this process may use, shared with the other processes of torchrun on the machine."""
    import joblib  # knows about affinities and containers; takes a moment to import

    return max(1, joblib.cpu_count() // here().local_world)


def say(text: str) -> None:
    """A line on the terminal, once for all processes."""
    if here().number == 0:
        logger.info(text)


def join() -> None:
    """Wait until all processes have started. Raises UserError where they cannot find each other."""
    import torch
    import torch.distributed as dist

    backends = "gloo"
    if torch.cuda.is_available():  # processes speak by gloo, gradients go by nccl
        backends = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(here().local % torch.cuda.device_count())
    try:
        dist.init_process_group(backends, timeout=LONGEST_WAIT)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the processes cannot find each other: {_first_line(error)}",
            "Start with torchrun on every machine, or unset RANK and WORLD_SIZE.",
        ) from error


def meet(failure: UserError | None = None, said: Any = None) -> Any:
    """Barrier that broadcasts `said` of process 0. Without torchrun, and when the group is closed, returns `said`.

    A failure of any process ends all: process 0 raises it as a SharedFailure, the others end with exit code 1.
    """
    process = here()
    if process.world == 1:
        return said
    import torch.distributed as dist

    if not dist.is_initialized():
        return said
    answers: list[Any] = [None] * process.world
    mine = (failure.wrong, failure.remedy) if failure else None
    try:
        dist.all_gather_object(answers, (mine, said if process.number == 0 else None))
    except RuntimeError as error:
        raise _lost(error) from error
    failures = [(number, *theirs) for number, (theirs, _) in enumerate(answers) if theirs]
    if failures:
        if process.number:
            time.sleep(WHILE_SPEAKING)
            raise SystemExit(1)
        number, wrong, remedy = failures[0]
        raise SharedFailure(f"process {number}: {wrong}" if number else wrong, remedy)
    return answers[0][1]


def lost(error: RuntimeError) -> SharedFailure | None:
    """What a failed exchange of gradients means: another process has ended. None for an error of another kind."""
    import torch.distributed as dist

    if here().world == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
        return None
    return _lost(error)


def _lost(error: RuntimeError) -> SharedFailure:
    wrong = f"another process than {here().number} ended before its work was done: {_first_line(error)}"
    return SharedFailure(wrong, "See what it said, and run again: what is finished is kept.")


def leave() -> None:
    """There is nothing more to meet for."""
    if here().world == 1:
        return
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
