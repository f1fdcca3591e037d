"""Where a network starts: from a file of one trained here, whole or its backbone alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
import torchvision

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.files import digest_file
from pipeline.io.weights_metadata import described_normalisation
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


def test_a_part_branch_starts_anew_where_the_file_has_none(trained, tmp_path, capsys):
    model = network(2, part_branch=True)
    taken, kept = start(model, trained)
    anew = {key for key in model.state_dict() if key.startswith("part.") or "classifier" in key}
    assert kept >= anew - {key for key in anew if "num_batches" in key} and taken >= model.state_dict().keys() - anew
    assert "is of a network without a part branch: this branch starts anew" in capsys.readouterr().out
    checkpoints.save_weights(tmp_path / "parts.safetensors", network(1, part_branch=True).state_dict(), {})
    without = network(2)
    taken, _ = start(without, tmp_path / "parts.safetensors")
    assert taken >= {key for key in without.state_dict() if "classifier" not in key}
    assert "is of a network with a part branch, which is left out" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"stripes": 6}, {"semantic_branch": False}, {"labels": 2}], ids=str)
def test_the_backbone_alone_of_another_one(trained, capsys, options):
    model = network(2, **options)
    taken, kept = start(model, trained)
    backbone = {key for key in model.state_dict() if key.startswith("backbone.")}
    weights = {key for key in model.state_dict() if model.state_dict()[key].dim() > 1}
    assert taken >= backbone and weights - backbone <= kept
    assert f"train.init = {trained} is of a network with other options: only its backbone" in capsys.readouterr().out


def test_the_file_is_recorded_and_random_weights_are_not(trained):
    start = load_initial_weights(network(2), str(trained), "resnet10", "train.init")
    assert start is not None and start.as_json() == {"file": "model.safetensors", "sha256": digest_file(trained)}
    assert load_initial_weights(network(2), "none", "resnet10", "train.init") is None


def test_a_training_with_another_normalisation_is_refused(tmp_path):
    path, model = tmp_path / "model.safetensors", network(1, backbone="efficientnet_lite0")
    checkpoints.save_weights(path, model.state_dict(), described_normalisation(model.normalisation))
    taken, _ = start(network(2, backbone="efficientnet_lite0"), path)
    assert "backbone._conv_stem.weight" in taken
    checkpoints.save_weights(path, model.state_dict(), {})
    with pytest.raises(UserError, match=r"it was trained with images of mean 0\.485.*takes mean 0\.498"):
        start(network(2, backbone="efficientnet_lite0"), path)


def test_weights_of_other_programs_for_a_backbone_that_is_no_resnet(tmp_path):
    torch.manual_seed(0)
    weights = torchvision.models.mobilenet_v2().state_dict()
    torch.save({"state_dict": weights}, tmp_path / "net.pth")
    model = network(1, backbone="mobilenet_v2")
    load_initial_weights(model, str(tmp_path / "net.pth"), "mobilenet_v2", "train.init")
    assert torch.equal(model.backbone.state_dict()["features.18.0.weight"], weights["features.18.0.weight"])
    with pytest.raises(UserError, match=r"train\.init = .*net\.pth: backbone weights missing: _blocks"):
        load_initial_weights(network(1, backbone="efficientnet_lite0"), str(tmp_path / "net.pth"), "", "train.init")


def test_a_description_beside_a_resnet_is_read(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "net.pth")
    (tmp_path / "config.json").write_text('{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}')
    with pytest.raises(UserError, match=r"net\.pth: they were trained with images of mean 0\.5 0\.5 0\.5"):
        load_initial_weights(network(1, backbone="resnet18"), str(tmp_path / "net.pth"), "resnet18", "train.init")


def test_another_backbone_is_refused(trained):
    model = SORN(dataclasses.replace(CONFIG, backbone="resnet18"))
    with pytest.raises(UserError, match=r"weights of another backbone: .*train\.init=none"):
        load_initial_weights(model, str(trained), "resnet18", "train.init")
