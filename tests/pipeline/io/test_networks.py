"""Networks from options: what is said of a backbone that cannot be had, and of another normalisation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.networks import danet_network, require_trained_normalisation, sorn_network
from pipeline.io.weights_metadata import described_normalisation
from sorn.config import SORNConfig
from sorn.normalisation import IMAGENET, TENSORFLOW

TIMM = SORNConfig(backbone="timm:resnet18")


def test_networks_have_the_normalisation_of_their_backbone() -> None:
    with torch.device("meta"):
        assert sorn_network(SORNConfig(backbone="efficientnet_lite0")).normalisation == TENSORFLOW
        assert danet_network("mobilenet_v2").normalisation == IMAGENET


def test_without_timm_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        UserError, match=r"^model\.backbone = timm:resnet18: the package timm .* -m pip install 'timm>=1\.0\.20'$"
    ):
        sorn_network(TIMM)
    with pytest.raises(UserError, match=r"^danet\.backbone = timm:resnet18: "):
        danet_network("timm:resnet18")


def test_a_misspelt_network_of_timm() -> None:
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=r"no network resnett18\. Did you mean timm:resnet18\? .*model\.backbone=timm:"):
        sorn_network(SORNConfig(backbone="timm:resnett18"))


def test_only_another_normalisation_than_imagenets_is_stored() -> None:
    assert described_normalisation(IMAGENET) == {}
    assert described_normalisation(TENSORFLOW) == {"normalisation": [[127 / 255] * 3, [128 / 255] * 3]}


@pytest.mark.parametrize("trained", [IMAGENET, TENSORFLOW])
def test_a_checkpoint_of_another_normalisation_is_refused(tmp_path: Path, trained) -> None:
    path = tmp_path / "model.safetensors"
    checkpoints.save_weights(path, {}, {"fingerprint": "f", **described_normalisation(trained)})
    require_trained_normalisation(path, trained)
    other = TENSORFLOW if trained == IMAGENET else IMAGENET
    with pytest.raises(UserError, match=r"model\.safetensors: it was trained with images of mean 0\.4") as caught:
        require_trained_normalisation(path, other)
    assert "its network takes mean" in caught.value.wrong


@pytest.mark.parametrize("stored", [1, [], [[1, 2], [3]], "x", [["a"] * 3, [1, 1, 1]], None])
def test_damaged_metadata_are_named(tmp_path: Path, stored: object) -> None:
    path = tmp_path / "model.safetensors"
    checkpoints.save_weights(path, {}, {"normalisation": stored})
    with pytest.raises(UserError, match=r"its metadata has .* as normalisation"):
        require_trained_normalisation(path, IMAGENET)
