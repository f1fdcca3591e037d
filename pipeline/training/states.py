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

from torch import Tensor

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

KEPT = 2


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
