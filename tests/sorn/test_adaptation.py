"""Adapted norms: torch's own averages in training mode, and nothing else of the network."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from sorn.adaptation import adapt_norms, batch_moments
from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.network import SORN

CONFIG = SORNConfig(identities=3, backbone="resnet10", set_channels=8, semantic_channels=8)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@pytest.fixture
def model() -> SORN:
    torch.manual_seed(0)
    return SORN(CONFIG).eval()


def batches() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 256, (size, 64, 32, 3), dtype=torch.uint8, generator=generator) for size in (4, 3, 2)]


def test_norms_are_those_that_torch_averages_in_training_mode(model: SORN) -> None:
    expected = copy.deepcopy(model).train()
    for module in expected.modules():
        if isinstance(module, NORMS):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for image in batches():
            expected(to_input(image, model.normalisation))
    adapt_norms(model, [batch_moments(model, image, "fp32") for image in batches()])
    pairs = list(zip(model.modules(), expected.modules(), strict=True))
    assert sum(isinstance(module, NORMS) for module, _ in pairs) > 10
    for found, wanted in pairs:
        if isinstance(found, NORMS):
            assert found.running_mean is not None and found.running_var is not None
            torch.testing.assert_close(found.running_mean, wanted.running_mean)
            torch.testing.assert_close(found.running_var, wanted.running_var)


def test_taking_moments_leaves_the_network_as_it_is_and_adapting_changes_norms_alone(model: SORN) -> None:
    before = copy.deepcopy(model.state_dict())
    moments = [batch_moments(model, image, "fp32") for image in batches()]
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    adapt_norms(model, moments)
    changed = {name for name, values in model.state_dict().items() if not torch.equal(values, before[name])}
    assert changed and {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var"}


def test_a_batch_of_the_gallery_is_centred_by_the_adapted_norms(model: SORN) -> None:
    image = batches()[0]
    adapt_norms(model, [batch_moments(model, image, "fp32")])
    seen: list[Tensor] = []
    first = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    with first.register_forward_hook(lambda module, given, output: seen.append(output.clone())), torch.no_grad():
        model(to_input(image, model.normalisation))
    mean, deviation = seen[0].mean(dim=(0, 2, 3)), seen[0].std(dim=(0, 2, 3))
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0)
    torch.testing.assert_close(deviation, torch.ones_like(mean), atol=1e-2, rtol=0)
