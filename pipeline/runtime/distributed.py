"""Ranks: the processes that torchrun starts for one stage, on one machine or many. Reads the environment only.

    torchrun --nproc-per-node 2 -m pipeline masks ...

The ranks share a file system, divide the work by their number and meet when it is done; then rank 0 goes on alone.
Without torchrun there is one rank, and torch is never imported here.
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

LONGEST_WAIT = timedelta(days=30)  # for the slowest rank; one that died is noticed at once
WHILE_SPEAKING = 5.0  # s that others give rank 0 to say what failed: torchrun ends all ranks as soon as one has ended


@dataclass(frozen=True)
class Rank:
    """number: of 0 .. world - 1. local: the same among the `local_world` ranks of this machine."""

    number: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1


def here() -> Rank:
    """This process's rank, from the variables that torchrun sets.

    Raises UserError where they are no numbers.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Rank()
    values = [os.environ.get(name, default) for name, default in zip(names, ("0", "1", "0", "1"), strict=True)]
    try:
        return Rank(*map(int, values))
    except ValueError as error:
        said = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise UserError(f"{said} are not numbers of ranks", "Start with torchrun, or unset them.") from error


def cores() -> int:
    """Cores for this rank: those that this process may use, shared with the other ranks of the machine."""
    import joblib  # knows about affinities and containers; takes a moment to import

    share: int = max(1, joblib.cpu_count() // here().local_world)
    return share


def say(text: str) -> None:
    """A line on the terminal, once for all ranks."""
    if here().number == 0:
        logger.info(text)


def join() -> None:
    """Wait until all ranks have started.

    Raises UserError where they cannot find each other.
    """
    import torch
    import torch.distributed as dist

    backends = "gloo"
    if torch.cuda.is_available():  # ranks speak by gloo, gradients go by nccl
        backends = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(here().local % torch.cuda.device_count())
    try:
        dist.init_process_group(backends, timeout=LONGEST_WAIT)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the ranks cannot find each other: {_first_line(error)}",
            "Start with torchrun on every machine, or unset RANK and WORLD_SIZE.",
        ) from error


def meet(failure: UserError | None = None, said: Any = None) -> Any:
    """Wait for all ranks; returns what rank 0 said.

    Once any of them has failed this is the last meeting.

    A failure is told once for all: rank 0 raises it, the others end with exit code 1. Without torchrun, and after the
    last meeting, returns `said`.
    """
    rank = here()
    if rank.world == 1:
        return said
    import torch.distributed as dist

    if not dist.is_initialized():
        return said
    answers: list[Any] = [None] * rank.world
    mine = (failure.wrong, failure.remedy) if failure else None
    try:
        dist.all_gather_object(answers, (mine, said if rank.number == 0 else None))
    except RuntimeError as error:
        raise _lost(error) from error
    failures = [(number, *theirs) for number, (theirs, _) in enumerate(answers) if theirs]
    if failures:
        leave()
        if rank.number:
            time.sleep(WHILE_SPEAKING)
            raise SystemExit(1)
        number, wrong, remedy = failures[0]
        raise UserError(f"rank {number}: {wrong}" if number else wrong, remedy)
    return answers[0][1]


def lost(error: RuntimeError) -> UserError | None:
    """What a failed exchange of gradients means: another rank has ended.

    None for an error of another kind. After it there is nobody left to meet.
    """
    import torch.distributed as dist

    if here().world == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
        return None
    leave()
    return _lost(error)


def _lost(error: RuntimeError) -> UserError:
    wrong = f"another rank than {here().number} ended before its work was done: {_first_line(error)}"
    return UserError(wrong, "See what it said, and run again: what is finished is kept.")


def leave() -> None:
    """There is nothing more to meet for."""
    if here().world == 1:
        return
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
