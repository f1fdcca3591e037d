"""Where a network starts: from a file of one trained here, whole or its backbone alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.training.initial_weights import load_initial_weights
from sorn.config import SORNConfig
from sorn.network import SORN

CONFIG = SORNConfig(identities=3, backbone="resnet10", set_channels=8, semantic_channels=8)


def network(seed: int, **options) -> SORN:
    torch.manual_seed(seed)
    return SORN(dataclasses.replace(CONFIG, **options))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    checkpoints.save_weights(path, network(1).state_dict(), {})
    return path


def start(model: SORN, path: Path) -> tuple[set[str], set[str]]:
    """Names of what was taken from the file, and of what stayed as it was."""
    before, given = {key: value.clone() for key, value in model.state_dict().items()}, checkpoints.read_weights(path)
    load_initial_weights(model, str(path), "resnet10", "train.init")
    after = model.state_dict()
    taken = {key for key in after.keys() & given.keys() if torch.equal(after[key], given[key])}
    return taken, {key for key in after if torch.equal(after[key], before[key])}


def test_everything_of_a_network_alike_but_its_identities(trained, capsys):
    model = network(2, identities=5)
    taken, kept = start(model, trained)
    own = {key for key in model.state_dict() if "classifier" in key}
    assert own and kept >= own and taken == model.state_dict().keys() - own
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("options", [{"stripes": 6}, {"semantic_branch": False}, {"labels": 2}], ids=str)
def test_the_backbone_alone_of_another_one(trained, capsys, options):
    model = network(2, **options)
    taken, kept = start(model, trained)
    backbone = {key for key in model.state_dict() if key.startswith("backbone.")}
    weights = {key for key in model.state_dict() if model.state_dict()[key].dim() > 1}
    assert taken >= backbone and weights - backbone <= kept
    assert f"train.init = {trained} is of a network with other options: only its backbone" in capsys.readouterr().out


def test_another_backbone_is_refused(trained):
    model = SORN(dataclasses.replace(CONFIG, backbone="resnet18"))
    with pytest.raises(UserError, match=r"weights of another backbone: .*train\.init=none"):
        load_initial_weights(model, str(trained), "resnet18", "train.init")
