"""What leaves the house: outputs by name without classifiers, and a parity check that sees what others missed."""

from __future__ import annotations

import pytest
import torch

from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.export import ExportedNetwork, least_distance, output_names, parity, traced
from sorn.network import SORN

FEATURES = torch.randn(6, 2, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "efficientnet_lite0"])
def test_the_graph_normalises_as_its_backbone_wants(backbone: str) -> None:
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=7, backbone=backbone, stripes=2)).eval()
    images = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(to_input(images, network.normalisation)).global_feature
        found = traced(ExportedNetwork(network), (64, 32)).module()(images)["global"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_outputs_are_the_networks_without_its_classifiers() -> None:
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=7, backbone="resnet18", stripes=2)).eval()
    images = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    exported = ExportedNetwork(network)
    with torch.inference_mode():
        expected, found = network(to_input(images, network.normalisation)), exported(images)
    assert list(found) == ["global", "local", "visibility"]
    assert torch.equal(found["global"], expected.global_feature)
    assert torch.equal(found["local"], expected.local_features)
    assert torch.equal(found["visibility"], expected.visibility)
    assert not any("classifier" in name for name, _ in exported.named_parameters())


@pytest.mark.parametrize(
    ("off", "names"),
    [
        (["semantic_branch"], ("global", "local")),
        (["local_branch"], ("global",)),
        (["global_branch"], ("local", "visibility")),
        (["local_branch", "global_branch"], ()),
    ],
)
def test_a_branch_that_is_off_has_no_output(off: list[str], names: tuple[str, ...]) -> None:
    assert output_names(SORNConfig(**dict.fromkeys(off, False))) == names


def test_parity_of_a_copy_that_is_near() -> None:
    copy = FEATURES.clone()
    copy[4, 1, 3] += 1e-5
    found = parity("local", FEATURES, copy, 0.15)
    assert found.largest == pytest.approx(1e-5, rel=0.05) and found.failures() == []
    assert found.relative == pytest.approx(1e-5 / float(FEATURES[4, 1].norm()), rel=0.05)


def test_one_image_that_differs_is_seen() -> None:
    copy = FEATURES.clone()
    copy[4, 1] *= 1.001
    (failure,) = parity("local", FEATURES, copy, 0.15).failures()
    assert "features differ by 0.001 of their length, more than 0.0001" in failure


def test_the_same_output_for_all_images_is_seen() -> None:
    failures = parity("global", FEATURES, FEATURES[:1].expand(6, 2, 8), 0.15).failures()
    assert failures[-1] == "different images give the same features"
    same = FEATURES[:1].expand(6, 2, 8)  # even where the original does it too
    assert parity("global", same, same, 0.15).failures() == ["different images give the same features"]


def test_what_is_no_number_never_passes() -> None:
    copy = FEATURES.clone()
    copy[0, 0, 0] = float("nan")
    assert len(parity("global", FEATURES, copy, 0.15).failures()) == 2
    assert len(parity("global", FEATURES, torch.zeros_like(FEATURES), 0.15).failures()) == 2
    scores = torch.full((6, 3), 0.5)
    assert parity("visibility", scores, scores * float("nan"), 0.15).failures()[0] == "scores differ by up to nan"


def test_scores_near_each_other_on_both_sides_of_the_threshold() -> None:
    scores, copy = torch.tensor([[0.155, 0.9]]), torch.tensor([[0.145, 0.9]])
    assert parity("visibility", scores, copy, 0.15).failures() == ["1 visibility indicators differ"]
    assert parity("visibility", scores, copy, 0.5).failures() == []
    assert "scores differ by up to 0.1" in parity("visibility", scores, scores + 0.1, 0.15).failures()


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output 'local' has shape \[5, 2, 8\], not \[6, 2, 8\]"):
        parity("local", FEATURES, FEATURES[:5], 0.15)


def test_distance_of_the_most_similar_images() -> None:
    assert least_distance(torch.tensor([[3.0, 4.0], [0.0, 10.0], [3.0, 3.0]])) == pytest.approx(0.2)
