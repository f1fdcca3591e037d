"""Training states, from which an interrupted training continues.

Reads and writes <stage>/state-*.pt. The newest two are kept. If a crash of the machine damaged the newest one, a
warning names it, and the one before it is used. The driver of the stages removes them when the stamp is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.disk import require_space
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

KEPT = 2
HEADROOM = 2**20  # bytes of a state besides its tensors


@dataclass(frozen=True)
class BestEpoch:
    """Epoch of the highest mAP on val.

    weights: of its network, on the CPU.
    """

    mean_ap: float
    epoch: int
    weights: dict[str, Tensor]

    def as_state(self) -> dict[str, object]:
        return {"mAP": self.mean_ap, "epoch": self.epoch, "model": self.weights}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> BestEpoch | None:
        """None where no epoch was measured."""
        return cls(state["mAP"], state["epoch"], state["model"]) if state else None


class TrainingStates:
    """Training states of one stage and one fingerprint.

    stage: "train" or "labeler". States with another fingerprint are left alone.
    """

    def __init__(self, paths: Paths, stage: str, fingerprint: str) -> None:
        self.paths, self.stage, self.fingerprint = paths, stage, fingerprint

    @property
    def files(self) -> list[Path]:
        """Files of the states, oldest first."""
        return self.paths.states(self.stage, self.fingerprint)

    def require_space(self, state: int, others: int = 0) -> None:
        """Check of the free disk space before the training.

        There must be room for the states that are kept and the next one; afterwards the weights take its place. state:
        bytes of one, as of `state_bytes`. others: bytes of other files that the training writes. Raises UserError.
        """
        stored = sum(path.stat().st_size for path in self.files)
        needed = (KEPT + 1) * (state + HEADROOM) + others - stored
        require_space(self.paths.folder(self.stage), max(needed, state + HEADROOM))

    def save(self, number: int, state: Mapping[str, object]) -> None:
        """Write a state, then remove the oldest ones.

        number: the next step of the whole training.
        """
        path = self.paths.state(self.stage, self.fingerprint, number)
        checkpoints.save_state(path, {**state, "fingerprint": self.fingerprint})
        for old in self.files[:-KEPT]:
            old.unlink()

    def load(self) -> tuple[Path, dict[str, Any]] | None:
        """Path and content of the newest undamaged state; None without states.

        Raises UserError if all states are damaged.
        """
        damaged: UserError | None = None
        for path in reversed(self.files):
            try:
                return path, checkpoints.load_state(path, self.fingerprint)
            except UserError as error:
                damaged = error
                if distributed.here().number == 0:
                    logger.warning(f"{self.stage}: {error.wrong}; looking for an older one")
        if damaged is not None:
            raise damaged
        return None


def load_scale(scaler: torch.amp.GradScaler, scale: Mapping[str, Any]) -> None:
    """Gradient scale of a training state.

    A training that goes on in fp16 from a state of another precision, as on another device, begins with a new scale.
    """
    if scale:
        scaler.load_state_dict(dict(scale))


def state_bytes(model: nn.Module, optimizer: torch.optim.Optimizer, copies: int = 1) -> int:
    """Bytes of a training state's tensors.

    copies: sets of weights that it holds: those of the network, of the best epoch, their average.
    """
    weights: int = sum(tensor.nbytes for tensor in model.state_dict().values())
    moments: int = 0
    for group in optimizer.param_groups:  # Adam remembers two numbers per parameter, SGD with momentum one
        count = 2 if "betas" in group else 1 if group.get("momentum") else 0
        moments += count * sum(parameter.nbytes for parameter in group["params"])
    return weights * copies + moments
