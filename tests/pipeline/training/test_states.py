"""Training states: their size is known before the first one is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.runs.layout import Paths
from pipeline.training.states import HEADROOM, KEPT, BestEpoch, TrainingStates, state_bytes
from sorn.config import ScheduleConfig, SORNConfig
from sorn.network import SORN
from sorn.schedule import build_optimizer


@pytest.mark.parametrize("schedule", [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}])
@pytest.mark.parametrize("best", [False, True])
def test_the_size_of_a_state_is_foreseen(tmp_path: Path, schedule: dict[str, object], best: bool) -> None:
    model = SORN(SORNConfig(identities=3, backbone="resnet10", set_channels=8, semantic_channels=8))
    optimizer = build_optimizer(model, ScheduleConfig(**schedule), 0.0)  # type: ignore[arg-type]
    foreseen = state_bytes(model, optimizer, 2 if best else 1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    states = TrainingStates(Paths("mine", "none", tmp_path, tmp_path), "train", "f" * 64)
    kept = BestEpoch(0.5, 1, model.state_dict() | {}).as_state() if best else {}
    copies = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kept = kept | {"model": copies} if best else kept
    states.save(1, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "best": kept})
    (file,) = states.files
    assert foreseen <= file.stat().st_size <= foreseen + HEADROOM


def test_room_for_the_states_that_are_kept_and_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = TrainingStates(Paths("mine", "none", tmp_path, tmp_path), "train", "f" * 64)
    needed = (KEPT + 1) * (10**8 + HEADROOM) + 5
    free = needed
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": free}))
    states.require_space(10**8, 5)
    free -= 1
    with pytest.raises(UserError, match=r"mine-none/train needs 303\.1 MB, but only 303\.1 MB are free there"):
        states.require_space(10**8, 5)
    states.save(1, {"weights": torch.zeros(10**5)})  # a state that is there frees its room
    states.require_space(10**8, 5)
