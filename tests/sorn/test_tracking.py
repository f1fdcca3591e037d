"""One vector per image: length 1, Eq. 15 where the same stripes are visible, and the input of trackers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.network import SORN, SORNOutput
from sorn.normalisation import IMAGENET
from sorn.tracking import TrackerNetwork, one_vector, traced_tracker

SIZE = (64, 32)


@pytest.fixture(scope="module")
def output() -> SORNOutput:
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=3, backbone="resnet18", stripes=2)).eval()
    with torch.inference_mode():
        return network(torch.randn(6, 3, *SIZE))


def test_the_cosine_is_eq_15_where_the_same_stripes_are_visible(output: SORNOutput) -> None:
    found = dataclasses.replace(output, visibility=torch.tensor([[0.9, 0.1]]).expand(6, 2))
    vectors = one_vector(found, 0.15)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    whole = functional.normalize(output.global_feature, dim=1)
    stripe = functional.normalize(output.local_features[:, 0], dim=1)
    torch.testing.assert_close(vectors @ vectors.T, (whole @ whole.T + stripe @ stripe.T) / 2)


def test_the_global_vector_is_the_cosine_of_eq_13(output: SORNOutput) -> None:
    vectors = one_vector(output, 0.15, "global")
    torch.testing.assert_close(vectors, functional.normalize(output.global_feature, dim=1))


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_the_graph_takes_what_trackers_give(backbone: str) -> None:
    """ImageNet's normalisation, whatever the backbone wants; any size; and the network's own size is not changed."""
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=3, backbone=backbone, stripes=2)).eval()
    images = torch.randint(0, 256, (3, *SIZE, 3), dtype=torch.uint8)
    graph = traced_tracker(TrackerNetwork(network, SIZE, 0.15)).module()
    with torch.inference_mode():
        expected = one_vector(network(to_input(images, network.normalisation)), 0.15)
        found = graph(to_input(images, IMAGENET).contiguous())["vector"]
        other = graph(torch.randn(1, 3, 100, 50))["vector"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.norm(dim=1), torch.ones(1))


def test_a_network_without_a_global_branch_has_no_global_vector() -> None:
    network = SORN(SORNConfig(identities=3, backbone="resnet18", global_branch=False)).eval()
    with pytest.raises(ValueError, match="vector = 'global': expected joined: there is no global branch"):
        TrackerNetwork(network, SIZE, 0.15, "global")
